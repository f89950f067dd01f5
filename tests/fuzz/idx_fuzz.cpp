#include "lathe/data/files/idx.h"

#include "fuzz/hostile_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] { lathe::data::read_idx_images(file.path()); });
  lathe::testing::expect_loaded_or_refused([&] { lathe::data::read_idx_labels(file.path(), 10); });
  return 0;
}
