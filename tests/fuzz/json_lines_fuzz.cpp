// JSON as any file of Lathe's has it: whole, and line by line. What was read can be written.
#include <cstdlib>

#include "fuzz/hostile_file.h"
#include "lathe/core/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] {
    const nlohmann::json json = lathe::read_json(file.path());
    if (lathe::parse_json(json.dump(), "again") != json) {
      std::abort();
    }
  });
  lathe::testing::expect_loaded_or_refused([&] { lathe::JsonLines(file.path()).read(); });
  return 0;
}
