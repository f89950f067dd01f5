#include "lathe/search/cells/near_target.h"

#include <cstdlib>

#include "fuzz/hostile_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] {
    const auto near = lathe::search::NearTarget::load(file.path());
    const auto again = lathe::search::NearTarget::from_json(near.to_json(), "again");
    if (!(near.target > 0) || again.passed != near.passed) {
      std::abort();
    }
  });
  return 0;
}
