// Blocks timed one at a time, and the table that is made of them.
#include "lathe/latency/samples/block_log.h"

#include "fuzz/hostile_file.h"
#include "latency/latency_fixtures.h"
#include "space_fixtures/tiny_space.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const lathe::testing::TinySpace kSpace;
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] {
    const auto fingerprint = lathe::testing::fingerprint_of(kSpace);
    const lathe::latency::BlockLog log(file.path(), kSpace, fingerprint);
    lathe::latency::block_costs(fingerprint, log.measurements());
  });
  return 0;
}
