#include "lathe/search/cells/cell_logits.h"

#include <cmath>
#include <cstdlib>

#include "fuzz/hostile_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] {
    const auto logits = lathe::search::CellLogits::load(file.path());
    for (const double strength : logits.strengths()) {
      if (!(strength >= 0 && strength <= 1)) {
        std::abort();
      }
    }
    lathe::search::derive_cells(logits, 2);
  });
  return 0;
}
