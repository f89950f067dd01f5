#include "lathe/data/files/cifar.h"

#include <array>

#include "fuzz/hostile_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using lathe::data::CifarKind;
  const lathe::testing::HostileFile file(bytes, size);
  const std::array<std::filesystem::path, 1> files{file.path()};
  for (const CifarKind kind : {CifarKind::kCifar10, CifarKind::kCifar100}) {
    lathe::testing::expect_loaded_or_refused([&] { lathe::data::read_cifar(files, kind); });
  }
  return 0;
}
