// Arch JSON of each family: the first byte chooses the space. What is accepted is a net that lowers
// to a graph and comes back from its own JSON.
#include "fuzz/family_spaces.h"
#include "fuzz/hostile_file.h"
#include "lathe/core/file.h"
#include "lathe/graph/counts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto& spaces = lathe::testing::family_spaces();
  if (size == 0 || bytes[0] >= spaces.size()) {
    return -1;
  }
  const lathe::space::Space& space = *spaces[bytes[0]];
  const lathe::testing::HostileFile file(bytes + 1, size - 1);
  lathe::testing::expect_loaded_or_refused([&] {
    const lathe::space::Arch arch =
        space.from_json(lathe::read_json(file.path()), file.path().string());
    const nlohmann::json again = space.to_json(arch);
    if (space.from_json(again, "again") != arch || lathe::graph::macs(space.graph(arch)) <= 0) {
      std::abort();
    }
  });
  return 0;
}
