#include "lathe/data/files/image_file.h"

#include "fuzz/hostile_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] {
    const lathe::data::ImageHeader header = lathe::data::read_image_header(file.path());
    if (header.size.height < 2000 && header.size.width < 2000) {  // to stay fast
      lathe::data::read_image(file.path(), header, 2);
    }
  });
  return 0;
}
