// Evaluated nets: JSON lines.
#include "fuzz/hostile_file.h"
#include "lathe/accuracy/sample.h"
#include "space_fixtures/tiny_space.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const lathe::testing::TinySpace kSpace;
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused(
      [&] { lathe::accuracy::conditions_of_samples(file.path()); });
  lathe::testing::expect_loaded_or_refused([&] {
    for (const auto& sample : lathe::accuracy::read_samples(file.path(), kSpace).samples) {
      if (!(sample.accuracy >= 0 && sample.accuracy <= 1)) {
        std::abort();
      }
    }
  });
  return 0;
}
