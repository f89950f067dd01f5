// Latencies that users have in a table.
#include "lathe/latency/samples/csv_import.h"

#include "fuzz/hostile_file.h"
#include "space_fixtures/tiny_space.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const lathe::testing::TinySpace kSpace;
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused(
      [&] { lathe::latency::read_latency_csv(file.path(), kSpace, "ms"); });
  return 0;
}
