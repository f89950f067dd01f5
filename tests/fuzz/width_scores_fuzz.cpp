#include "lathe/accuracy/width_scores.h"

#include <cmath>

#include "fuzz/hostile_file.h"
#include "space_fixtures/tiny_space.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const lathe::testing::TinySpace kSpace;
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] {
    const auto scores = lathe::accuracy::WidthScores::load(kSpace, file.path());
    const double accuracy = scores.predict(kSpace.largest());
    if (!std::isfinite(scores.error(kSpace.largest())) || !(accuracy >= 0 && accuracy <= 1)) {
      std::abort();
    }
    scores.choice_effects(std::vector{kSpace.largest()});
  });
  return 0;
}
