#include "lathe/accuracy/perceptron_predictor.h"

#include "fuzz/hostile_file.h"
#include "space_fixtures/tiny_space.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const lathe::testing::TinySpace kSpace;
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] {
    const auto predictor = lathe::accuracy::PerceptronPredictor::load(kSpace, file.path());
    if (predictor.covers(24)) {
      predictor.predict(kSpace.largest());
      predictor.choice_effects(std::vector{kSpace.largest()});
    }
  });
  return 0;
}
