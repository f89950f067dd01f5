// Files that define a space: what is accepted can be lowered, counted and encoded.
#include "lathe/space/space_file.h"

#include <variant>

#include "fuzz/hostile_file.h"
#include "lathe/core/file.h"
#include "lathe/graph/counts.h"
#include "lathe/space/builtin_spaces.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] {
    const lathe::space::SpaceSpec spec = lathe::space::load_space_spec(file.path());
    const nlohmann::json written = lathe::space::to_json(spec);
    if (lathe::space::fingerprinted_name(lathe::space::space_spec_from_json(written, "again")) !=
        lathe::space::fingerprinted_name(spec)) {
      std::abort();
    }
    const auto space = lathe::space::make_space_from_spec(spec);
    for (const lathe::space::Arch& arch : {space->smallest(), space->largest()}) {
      if (lathe::graph::params(space->graph(arch)) <= 0 ||
          static_cast<int>(space->encode(arch).size()) != space->encoding_size()) {
        std::abort();
      }
    }
  });
  return 0;
}
