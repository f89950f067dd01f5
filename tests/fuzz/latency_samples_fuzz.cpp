// Measured nets, and what a model is fitted to: JSON lines.
#include <cmath>

#include "fuzz/hostile_file.h"
#include "lathe/latency/samples/sample.h"
#include "space_fixtures/tiny_space.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const lathe::testing::TinySpace kSpace;
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused(
      [&] { lathe::latency::fingerprint_of_samples(file.path()); });
  lathe::testing::expect_loaded_or_refused([&] {
    for (const auto& sample : lathe::latency::read_samples(file.path(), kSpace).samples) {
      if (!std::isfinite(sample.median_ms) || sample.median_ms <= 0) {
        std::abort();
      }
    }
  });
  return 0;
}
