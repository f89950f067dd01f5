#include "lathe/data/files/idx.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "data/idx_files.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/random.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;
using lathe::testing::big_endian;
using lathe::testing::idx_images;
using lathe::testing::idx_labels;
using lathe::testing::patterned_pixels;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::write_gz;
using lathe::testing::write_plain;

/// The error for an image file of these bytes, less its path; the same plain and compressed.
std::string images_error(const std::string& bytes) {
  const TemporaryFolder folder;
  write_plain(folder / "x", bytes);
  write_gz(folder / "x.gz", bytes);
  const std::string plain = text_thrown<Error>([&] { read_idx_images(folder / "x"); });
  const std::string compressed = text_thrown<Error>([&] { read_idx_images(folder / "x.gz"); });
  const std::string text = plain.substr((folder / "x: ").string().size());
  EXPECT_EQ(plain, (folder / "x: ").string() + text);
  EXPECT_EQ(compressed, (folder / "x.gz: ").string() + text);
  return text;
}

std::string labels_error(const std::string& bytes) {
  const TemporaryFolder folder;
  write_plain(folder / "x", bytes);
  const std::string text = text_thrown<Error>([&] { read_idx_labels(folder / "x", 10); });
  return text.substr((folder / "x: ").string().size());
}

TEST(Idx, ReadsPlainAndCompressed) {
  const TemporaryFolder folder;
  const std::string pixels = patterned_pixels(5, 6);
  write_plain(folder / "i", idx_images(5, 2, 3, pixels));
  write_gz(folder / "i.gz", idx_images(5, 2, 3, pixels));
  write_gz(folder / "l.gz", idx_labels(std::string("\3\0\11\1", 4)));
  for (const char* name : {"i", "i.gz"}) {
    const IdxImages images = read_idx_images(folder / name);
    EXPECT_EQ(images.count, 5);
    EXPECT_EQ(images.height, 2);
    EXPECT_EQ(images.width, 3);
    ASSERT_EQ(images.pixels.size(), 30u);
    EXPECT_EQ(images.pixels[6], 31);  // the first pixel of the second image
    EXPECT_TRUE(
        std::equal(pixels.begin(), pixels.end(), images.pixels.begin(),
                   [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; }));
  }
  EXPECT_EQ(read_idx_labels(folder / "l.gz", 10), (std::vector<int>{3, 0, 9, 1}));
}

TEST(Idx, ReadsMoreThanOneChunk) {
  const TemporaryFolder folder;
  const std::string pixels = patterned_pixels(3000, 28 * 28);
  write_gz(folder / "i.gz", idx_images(3000, 28, 28, pixels));
  const IdxImages images = read_idx_images(folder / "i.gz");
  ASSERT_EQ(images.pixels.size(), pixels.size());
  EXPECT_EQ(images.pixels.back(), static_cast<std::uint8_t>(pixels.back()));
}

TEST(Idx, SaysWhatCannotBeRead) {
  EXPECT_EQ(text_thrown<Error>([] { read_idx_images("/no/such.gz"); }),
            "/no/such.gz: cannot read: No such file or directory");
  EXPECT_EQ(text_thrown<Error>([] { read_idx_images("/"); }), "/: cannot read: Is a directory");
}

TEST(Idx, RefusesAnotherMagic) {
  EXPECT_EQ(images_error(idx_labels("123456789012345")),
            "expected magic 0x00000803 (idx images), got 0x00000801");
  EXPECT_EQ(images_error("not an idx file at all"),
            "expected magic 0x00000803 (idx images), got 0x6e6f7420");
  EXPECT_EQ(labels_error(idx_images(1, 1, 1, "a")),
            "expected magic 0x00000801 (idx labels), got 0x00000803");
}

TEST(Idx, RefusesTruncatedFiles) {
  EXPECT_EQ(images_error(""),
            "truncated: expected the magic number of an idx file, got the end of the file");
  EXPECT_EQ(images_error(big_endian(0x803) + "ab"),
            "truncated: expected a number of images, got the end of the file");
  EXPECT_EQ(images_error(big_endian(0x803) + big_endian(1) + big_endian(1)),
            "truncated: expected a width, got the end of the file");
  EXPECT_EQ(images_error(idx_images(3, 2, 2, "12345678901")),
            "truncated: expected 12 bytes, 3 images of 2x2, got 11 bytes");
  EXPECT_EQ(labels_error(big_endian(0x801) + big_endian(4) + std::string(3, '\1')),
            "truncated: expected 4 labels, got 3 bytes");
}

TEST(Idx, RefusesACutOrDamagedGzip) {
  const TemporaryFolder folder;
  write_gz(folder / "good.gz", idx_images(200, 9, 9, patterned_pixels(200, 81)));
  const std::string good = read_file(folder / "good.gz");
  const std::string path = (folder / "x.gz").string();
  const auto error_of = [&](const std::string& bytes) {
    write_plain(path, bytes);
    return text_thrown<Error>([&] { read_idx_images(path); });
  };
  const std::string cut = path + ": truncated: expected the end of the gzip data";
  EXPECT_EQ(error_of(good.substr(0, good.size() / 2)), cut);
  EXPECT_EQ(error_of(good.substr(0, good.size() - 1)), cut);  // all pixels, half a checksum
  std::string damaged = good;
  damaged[good.size() - 6] = static_cast<char>(damaged[good.size() - 6] ^ 1);
  EXPECT_EQ(error_of(damaged), path + ": damaged gzip data: incorrect data check");
}

TEST(Idx, RefusesAbsurdSizes) {
  EXPECT_EQ(images_error(idx_images(1, 0, 2, "")), "expected a height in [1, 4096], got 0");
  EXPECT_EQ(images_error(idx_images(1, 2, 5000, "")), "expected a width in [1, 4096], got 5000");
  EXPECT_EQ(images_error(idx_images(0, 2, 2, "")),
            "expected 1 to 4294967296 bytes of pixels, got 0 images of 2x2");
  EXPECT_EQ(images_error(idx_images(0xffffffff, 4096, 4096, "")),
            "expected 1 to 4294967296 bytes of pixels, got 4294967295 images of 4096x4096");
  // Within the bounds, but not there: refused without being allocated.
  EXPECT_EQ(images_error(idx_images(256, 4096, 1024, "")),
            "truncated: expected 1073741824 bytes, 256 images of 4096x1024, got 0 bytes");
  EXPECT_EQ(labels_error(idx_labels("")), "expected 1 to 67108864 labels, got 0");
  EXPECT_EQ(labels_error(big_endian(0x801) + big_endian(0xffffffff)),
            "expected 1 to 67108864 labels, got 4294967295");
  EXPECT_EQ(images_error(idx_images(1U << 27, 1, 1, "")),
            "expected at most 67108864 images, got 134217728 images of 1x1");
}

TEST(Idx, RefusesBytesAfterTheEnd) {
  EXPECT_EQ(images_error(idx_images(1, 1, 2, "123")),
            "expected the end of the file after 2 bytes, 1 images of 1x2, got more bytes");
  EXPECT_EQ(labels_error(idx_labels("\1\2") + "x"),
            "expected the end of the file after 2 labels, got more bytes");
}

TEST(Idx, RefusesLabelsOutOfRange) {
  EXPECT_EQ(labels_error(idx_labels("\1\2\12\3")),
            "expected labels in [0, 9], got 10 at position 2");
  EXPECT_EQ(labels_error(idx_labels("\xff")), "expected labels in [0, 9], got 255 at position 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { read_idx_labels("x", 257); }),
            "[data::read_idx_labels] num_classes must be in [1, 256], got 257");
}

// Every damaged file loads or throws Error: nothing else, and no access outside (asan preset).
TEST(Idx, SurvivesDamage) {
  const TemporaryFolder folder;
  const std::string plain = idx_images(6, 3, 3, patterned_pixels(6, 9));
  write_gz(folder / "good.gz", plain);
  const std::string compressed = read_file(folder / "good.gz");
  const fs::path path = folder / "bad";
  int loaded = 0, refused = 0;
  for (std::uint64_t round = 0; round < 6000; ++round) {
    Rng rng = Rng::derived(2, {round});
    std::string bytes = round % 2 == 0 ? plain : compressed;
    for (std::uint32_t changes = 1 + rng.below(3); changes > 0; --changes) {
      const auto size = static_cast<std::uint32_t>(bytes.size());
      const std::size_t at = rng.below(rng.below(2) == 0 ? size : std::min(size, 16U));
      switch (rng.below(4)) {
        case 0:
          bytes[at] = static_cast<char>(rng.below(256));
          break;
        case 1:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
          break;
        case 2:
          bytes.insert(at, 1, static_cast<char>(rng.below(256)));
          break;
        default:
          bytes.resize(std::max<std::size_t>(at, 1));
          break;
      }
    }
    write_plain(path, bytes);
    for (const bool images : {true, false}) {
      try {
        if (images) {
          read_idx_images(path);
        } else {
          read_idx_labels(path, 10);
        }
        ++loaded;
      } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).find(path.string() + ": "), 0u) << error.what();
        ++refused;
      }
    }
  }
  EXPECT_GT(loaded, 100);  // both ways were taken
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace lathe::data
