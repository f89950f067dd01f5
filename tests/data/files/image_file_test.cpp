#include "lathe/data/files/image_file.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "core/temporary_folder.h"
#include "data/idx_files.h"
#include "data/photo_files.h"
#include "lathe/core/file.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;
using lathe::testing::photo;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::write_photo;
using lathe::testing::write_plain;

class ImageFileTest : public ::testing::Test {
 protected:
  /// The error for a file of these bytes, less its path.
  std::string error_of(const std::string& bytes) {
    write_plain(folder_ / "x", bytes);
    const std::string text = text_thrown<UnreadableImage>(
        [&] { read_image(folder_ / "x", read_image_header(folder_ / "x"), 1); });
    const std::string path = (folder_ / "x").string() + ": ";
    EXPECT_EQ(text.substr(0, path.size()), path);
    return text.size() < path.size() ? text : text.substr(path.size());
  }
  std::string bytes_of(const char* name) { return read_file(folder_ / name); }

  TemporaryFolder folder_;
};

TEST_F(ImageFileTest, ReadsRgbOfBothFormats) {
  cv::Mat image(20, 30, CV_8UC3, cv::Scalar(10, 20, 200));  // blue, green, red
  image(cv::Rect(16, 0, 14, 20)) = cv::Scalar(250, 0, 0);
  write_photo(folder_ / "a.png", image);
  write_photo(folder_ / "a.jpg", image);
  for (const char* name : {"a.png", "a.jpg"}) {
    const ImageHeader header = read_image_header(folder_ / name);
    EXPECT_EQ(header.size, (ImageSize{20, 30}));
    const RgbImage rgb = read_image(folder_ / name, header, 1);
    EXPECT_EQ(rgb.size, (ImageSize{20, 30}));
    ASSERT_EQ(rgb.pixels.size(), 1800u);
    EXPECT_NEAR(rgb.pixels[0], 200, 4) << name;
    EXPECT_NEAR(rgb.pixels[1], 20, 4) << name;
    EXPECT_NEAR(rgb.pixels[2], 10, 4) << name;
    EXPECT_NEAR(rgb.pixels[1799], 250, 4) << name;
  }
  const RgbImage half = read_image(folder_ / "a.jpg", read_image_header(folder_ / "a.jpg"), 4);
  EXPECT_EQ(half.size, (ImageSize{5, 8}));
  EXPECT_NEAR(half.pixels[0], 200, 6);
  EXPECT_EQ(read_image(folder_ / "a.png", read_image_header(folder_ / "a.png"), 4).size,
            (ImageSize{20, 30}));
}

TEST_F(ImageFileTest, ReadsGreyAsRgb) {
  write_photo(folder_ / "g.png", cv::Mat(3, 2, CV_8UC1, cv::Scalar(77)));
  const RgbImage rgb = read_image(folder_ / "g.png", read_image_header(folder_ / "g.png"), 1);
  EXPECT_EQ(rgb.pixels, std::vector<std::uint8_t>(18, 77));
}

// EXIF orientation 6: what is stored lying is shown upright.
TEST_F(ImageFileTest, TurnsAsTheFileSays) {
  cv::Mat image(16, 32, CV_8UC3, cv::Scalar(0, 0, 0));
  image(cv::Rect(0, 0, 16, 16)) = cv::Scalar(255, 255, 255);  // left: up, once turned clockwise
  write_photo(folder_ / "a.jpg", image);
  const std::string exif(
      "\xff\xe1\x00\x22"
      "Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0"
      "\x01\0\x06\0\0\0\0\0\0",
      36);
  const std::string bytes = bytes_of("a.jpg");
  write_plain(folder_ / "b.jpg", bytes.substr(0, 2) + exif + bytes.substr(2));
  const ImageHeader header = read_image_header(folder_ / "b.jpg");
  EXPECT_EQ(header.size, (ImageSize{16, 32}));
  const RgbImage rgb = read_image(folder_ / "b.jpg", header, 1);
  ASSERT_EQ(rgb.size, (ImageSize{32, 16}));
  EXPECT_GT(rgb.pixels.front(), 240);
  EXPECT_LT(rgb.pixels.back(), 15);
}

TEST_F(ImageFileTest, SaysWhatIsWrong) {
  write_photo(folder_ / "a.jpg", photo(40, 40, 0, 1));
  write_photo(folder_ / "a.png", photo(40, 40, 0, 1));
  const std::string jpeg = bytes_of("a.jpg"), png = bytes_of("a.png");
  EXPECT_EQ(error_of("GIF89a and so on"), "expected a JPEG or PNG image, got another file");
  EXPECT_EQ(error_of(""), "cut short: expected more of an image's header");
  EXPECT_EQ(error_of(jpeg.substr(0, 30)), "cut short: expected more of an image's header");
  EXPECT_EQ(error_of(jpeg.substr(0, jpeg.size() / 2)),
            "cut short or damaged: expected a whole image");
  EXPECT_EQ(error_of(jpeg.substr(0, jpeg.size() - 1)),
            "cut short or damaged: expected a whole image");
  EXPECT_EQ(error_of(png.substr(0, png.size() / 2)),
            "cut short or damaged: expected a whole image");
  std::string damaged = png;
  damaged[png.size() / 2] = static_cast<char>(damaged[png.size() / 2] ^ 1);
  EXPECT_EQ(error_of(damaged), "cut short or damaged: expected a whole image");
  EXPECT_EQ(error_of("\xff\xd8\xff\xd9\x01\x02\x03"),
            "damaged JPEG: expected a frame before the pixels");
  EXPECT_EQ(error_of(std::string("\xff\xd8\xff\xe0\0\0", 6)),
            "damaged JPEG: a segment without length");
  std::string other = png;
  other[12] = 'X';
  EXPECT_EQ(error_of(other), "damaged PNG: expected the chunk IHDR first");
  other = png;
  other[16] = 1;  // 2^24 pixels wide
  EXPECT_EQ(error_of(other), "expected sides of at most 65535 pixels, got 40x16777256");
  other = png;
  other[18] = other[22] = 120;  // refused before a pixel is decoded
  EXPECT_EQ(error_of(other), "expected 1 to 134217728 pixels, got 30760x30760");
  EXPECT_EQ(text_thrown<Error>([] { read_image_header("/no/such.jpg"); }),
            "/no/such.jpg: cannot read: No such file or directory");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { read_image(folder_ / "a.jpg", read_image_header(folder_ / "a.jpg"), 3); }),
            "[data::read_image] shrink must be 1, 2, 4 or 8, got 3");
}

TEST_F(ImageFileTest, NoticesAFileThatHasChanged) {
  write_photo(folder_ / "a.jpg", photo(40, 40, 0, 1));
  const ImageHeader header = read_image_header(folder_ / "a.jpg");
  write_photo(folder_ / "a.jpg", photo(41, 40, 0, 1));
  EXPECT_EQ(text_thrown<UnreadableImage>([&] { read_image(folder_ / "a.jpg", header, 1); }),
            (folder_ / "a.jpg").string() + ": has changed since the data set was opened");
}

// Every damaged file is read or throws UnreadableImage: nothing else, no access outside (asan).
TEST_F(ImageFileTest, SurvivesDamage) {
  write_photo(folder_ / "a.jpg", photo(24, 24, 1, 1));
  write_photo(folder_ / "a.png", photo(24, 24, 1, 1));
  const std::string good[] = {bytes_of("a.jpg"), bytes_of("a.png")};
  int read = 0, refused = 0;
  for (std::uint64_t round = 0; round < 2000; ++round) {
    Rng rng = Rng::derived(3, {round});
    std::string bytes = good[round % 2];
    for (std::uint32_t changes = 1 + rng.below(3); changes > 0; --changes) {
      const auto size = static_cast<std::uint32_t>(bytes.size());
      const std::size_t at = rng.below(rng.below(2) == 0 ? size : std::min(size, 30U));
      if (rng.below(4) == 0) {
        bytes.resize(std::max<std::size_t>(at, 1));
      } else {
        bytes[at] = static_cast<char>(rng.below(256));
      }
    }
    write_plain(folder_ / "x", bytes);
    try {
      const RgbImage image =
          read_image(folder_ / "x", read_image_header(folder_ / "x"), round % 4 < 2 ? 1 : 2);
      EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(image.size.height) *
                                         static_cast<std::size_t>(image.size.width) * 3);
      ++read;
    } catch (const UnreadableImage&) {
      ++refused;
    }
  }
  EXPECT_GT(read, 50);
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace lathe::data
