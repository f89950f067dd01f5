// Genotypes as Python files have them.
#include "lathe/space/families/genotype.h"

#include <string>

#include "fuzz/family_spaces.h"
#include "fuzz/hostile_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const auto kSpace = lathe::space::make_space("darts");
  const std::string text(bytes, bytes + size);
  lathe::testing::expect_loaded_or_refused([&] {
    const nlohmann::json json = lathe::space::genotype_from_text(text, "hostile");
    const lathe::space::Arch arch = kSpace->from_json(json, "hostile");
    kSpace->graph(arch);
  });
  return 0;
}
