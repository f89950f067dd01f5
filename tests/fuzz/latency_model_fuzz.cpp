// Latency models of every stored kind, and what a search and a command ask of them.
#include <vector>

#include "fuzz/hostile_file.h"
#include "lathe/latency/models/stored_model.h"
#include "space_fixtures/tiny_space.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const lathe::testing::TinySpace kSpace;
  static const std::vector kArchs{kSpace.smallest(), kSpace.largest()};
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused(
      [&] { lathe::latency::fingerprint_of_model(file.path()); });
  lathe::testing::expect_loaded_or_refused([&] {
    const auto model = lathe::latency::load_latency_model(kSpace, file.path());
    std::vector<double> predicted(kArchs.size());
    model->predict_ms(kArchs, predicted);
    model->certainty(kArchs);
    model->with_correction({.bias_ms = 1, .scale = 2});
  });
  return 0;
}
