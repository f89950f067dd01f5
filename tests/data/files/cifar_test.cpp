#include "lathe/data/files/cifar.h"

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "data/cifar_files.h"
#include "data/idx_files.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;
using lathe::testing::cifar_record;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::write_plain;

class CifarTest : public ::testing::Test {
 protected:
  std::string error_of(const std::string& bytes, CifarKind kind = CifarKind::kCifar10) {
    write_plain(folder_ / "x.bin", bytes);
    const std::vector<fs::path> files{folder_ / "x.bin"};
    const std::string text = text_thrown<Error>([&] { read_cifar(files, kind); });
    return text.substr((folder_ / "x.bin: ").string().size());
  }
  TemporaryFolder folder_;
};

TEST_F(CifarTest, ReadsPlanesAndLabels) {
  write_plain(folder_ / "a.bin", cifar_record("\3", 1) + cifar_record(std::string(1, '\0'), 2));
  write_plain(folder_ / "b.bin", cifar_record("\x09", 3));
  const std::vector<fs::path> files{folder_ / "a.bin", folder_ / "b.bin"};
  const ImageArray images = read_cifar(files, CifarKind::kCifar10);
  EXPECT_EQ(images.labels, (std::vector<int>{3, 0, 9}));
  EXPECT_EQ(images.class_names[3], "cat");
  ASSERT_EQ(images.pixels.size(), 3u * 3072);
  for (std::size_t image = 0; image < 3; ++image) {
    const std::string record = cifar_record("x", static_cast<int>(image) + 1);
    for (const std::size_t at : {0, 31, 32, 500, 1023}) {
      for (std::size_t c = 0; c < 3; ++c) {
        EXPECT_EQ(images.pixels[image * 3072 + at * 3 + c],
                  static_cast<std::uint8_t>(record[1 + c * 1024 + at]));
      }
    }
  }
}

TEST_F(CifarTest, TakesTheFineLabels) {
  write_plain(folder_ / "train.bin", cifar_record("\x13\x63", 1));
  const std::vector<fs::path> files{folder_ / "train.bin"};
  const ImageArray images = read_cifar(files, CifarKind::kCifar100);
  EXPECT_EQ(images.labels, std::vector<int>{99});
  EXPECT_EQ(images.num_classes, 100);
}

TEST_F(CifarTest, SaysWhatIsWrong) {
  EXPECT_EQ(error_of(""), "expected whole records of 3073 bytes, got 0 bytes");
  EXPECT_EQ(error_of(cifar_record("\1", 1) + "x"),
            "expected whole records of 3073 bytes, got 3074 bytes");
  EXPECT_EQ(error_of(cifar_record("\1", 1), CifarKind::kCifar100),
            "expected whole records of 3074 bytes, got 3073 bytes");
  EXPECT_EQ(error_of(cifar_record("\1", 1) + cifar_record("\12", 1)),
            "expected labels in [0, 9], got 10 in record 1");
  EXPECT_EQ(error_of(cifar_record("\1\x64", 1), CifarKind::kCifar100),
            "expected labels in [0, 99], got 100 in record 0");
  const std::vector<fs::path> missing{folder_ / "y.bin"};
  EXPECT_EQ(text_thrown<Error>([&] { read_cifar(missing, CifarKind::kCifar10); }),
            (folder_ / "y.bin").string() + ": expected a file of CIFAR records, got no such file");
  const std::vector<fs::path> folder{folder_.path()};
  EXPECT_EQ(text_thrown<Error>([&] { read_cifar(folder, CifarKind::kCifar10); }),
            folder_.path().string() + ": expected a file of CIFAR records, got something else");
  fs::resize_file(folder_ / "x.bin", std::uintmax_t{5} << 30);  // sparse: no byte of it is read
  const std::vector<fs::path> large{folder_ / "x.bin"};
  EXPECT_EQ(text_thrown<Error>([&] { read_cifar(large, CifarKind::kCifar10); }),
            (folder_ / "x.bin").string() +
                ": expected at most 4294967296 bytes in all files, got "
                "more");
}

// Every damaged file loads or throws Error that names it.
TEST_F(CifarTest, SurvivesDamage) {
  const std::string good = cifar_record("\3", 1) + cifar_record("\4", 2) + cifar_record("\5", 3);
  const std::vector<fs::path> files{folder_ / "x.bin"};
  int loaded = 0, refused = 0;
  for (std::uint64_t round = 0; round < 2000; ++round) {
    Rng rng = Rng::derived(4, {round});
    std::string bytes = good;
    const std::size_t at = rng.below(2) == 0 ? rng.below(3) * 3073 : rng.below(9219);
    switch (rng.below(3)) {
      case 0:
        bytes[at] = static_cast<char>(rng.below(256));
        break;
      case 1:
        bytes.insert(at, rng.below(2) == 0 ? 1 : 3073, static_cast<char>(rng.below(256)));
        break;
      default:
        bytes.resize(at);
        break;
    }
    write_plain(folder_ / "x.bin", bytes);
    try {
      const ImageArray images = read_cifar(files, CifarKind::kCifar10);
      EXPECT_EQ(images.pixels.size(), images.labels.size() * 3072);
      ++loaded;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find((folder_ / "x.bin: ").string()), 0u);
      ++refused;
    }
  }
  EXPECT_GT(loaded, 100);
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace lathe::data
