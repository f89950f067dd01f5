#include "lathe/data/folder_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "data/idx_files.h"
#include "data/photo_files.h"
#include "lathe/core/file.h"
#include "lathe/data/batches.h"
#include "lathe/data/image_set.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;
using lathe::testing::photo;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::write_photo;
using lathe::testing::write_photo_folder;
using lathe::testing::write_plain;

using Bytes = std::vector<std::uint8_t>;

Bytes read(const ImageSource& source, std::int64_t index, int size, const AugmentOptions* augment,
           std::uint64_t seed = 1) {
  Bytes out(static_cast<std::size_t>(size) * static_cast<std::size_t>(size) * 3);
  Rng rng(seed);
  source.read(index, size, augment, rng, out);
  return out;
}

class FolderSourceTest : public ::testing::Test {
 protected:
  /// A source of one PNG file that holds `image`.
  FolderSource source_of(const cv::Mat& image) {
    write_photo(folder_ / "one.png", image);
    return {{{folder_ / "one.png", 0}}, {"one"}, false};
  }
  TemporaryFolder folder_;
};

TEST_F(FolderSourceTest, TestsTheMiddle) {
  cv::Mat image(16, 32, CV_8UC3, cv::Scalar(0, 0, 0));
  image(cv::Rect(9, 1, 14, 14)) = cv::Scalar(30, 20, 10);  // 7/8 of 16, in the middle
  const FolderSource source = source_of(image);
  const Bytes whole = read(source, 0, 14, nullptr), half = read(source, 0, 7, nullptr);
  for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_EQ(whole[i], 10 * (i % 3 + 1));
  for (std::size_t i = 0; i < half.size(); ++i) ASSERT_EQ(half[i], 10 * (i % 3 + 1));
  EXPECT_EQ(source.native_size(0), (ImageSize{16, 32}));
}

// Every training image is one that the drawn region and flip explain.
TEST_F(FolderSourceTest, TrainsOnADrawnPartOfTheImage) {
  cv::Mat image(20, 24, CV_8UC3);
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 24; ++x) image.at<cv::Vec3b>(y, x) = cv::Vec3b(0, x * 10, y * 10);
  }
  const FolderSource source = source_of(image);
  const AugmentOptions augment{.min_crop_area = 0.2};
  int flipped = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Bytes bytes = read(source, 0, 1, &augment, seed);
    Rng rng(seed);
    const Region region = draw_resized_crop(augment, 20, 24, rng);
    // The mean of the region: y * 10 in red and x * 10 in green.
    EXPECT_NEAR(bytes[0], 10 * (region.top + (region.height - 1) / 2.0), 1);
    EXPECT_NEAR(bytes[1], 10 * (region.left + (region.width - 1) / 2.0), 1);
    const Bytes two = read(source, 0, 2, &augment, seed);
    const bool flip = rng.below(2) == 1;
    EXPECT_EQ(two[1] > two[4], flip);
    flipped += flip;
  }
  EXPECT_NEAR(flipped, 100, 30);
  const AugmentOptions upright{.horizontal_flip = false};
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Bytes two = read(source, 0, 2, &upright, seed);
    EXPECT_LE(two[1], two[4]);
  }
}

TEST_F(FolderSourceTest, DecodesLargeImagesSmaller) {
  write_photo(folder_ / "a.jpg", photo(640, 480, 0, 1));
  write_photo(folder_ / "a.png", photo(640, 480, 0, 1));
  const FolderSource source({{folder_ / "a.jpg", 0}, {folder_ / "a.png", 0}}, {"one"}, false);
  const Bytes jpeg = read(source, 0, 32, nullptr), png = read(source, 1, 32, nullptr);
  double difference = 0;
  for (std::size_t i = 0; i < jpeg.size(); ++i) difference += std::abs(jpeg[i] - png[i]);
  EXPECT_LT(difference / static_cast<double>(jpeg.size()), 7);  // a quarter of a pixel apart
}

TEST_F(FolderSourceTest, PutsTheNextOfItsClassInThePlaceOfADamagedImage) {
  std::vector<ImageFile> files;
  for (int i = 0; i < 6; ++i) {
    const fs::path path = folder_ / (std::to_string(i) + ".jpg");
    write_photo(path, cv::Mat(16, 16, CV_8UC3, cv::Scalar::all(40 * i)));
    files.push_back({path, i % 2});
  }
  const auto damage = [&](int i) {
    const std::string bytes = read_file(files[static_cast<std::size_t>(i)].path);
    write_plain(files[static_cast<std::size_t>(i)].path, bytes.substr(0, bytes.size() - 40));
  };
  damage(2);
  damage(4);
  const auto source = std::make_shared<FolderSource>(files, std::vector<std::string>{"a", "b"},
                                                     /*strict=*/false);
  const ImageSet set(source, 8);
  EXPECT_EQ(source->num_unreadable(), 0);  // their headers are as they should be
  const Normalization plain{{0, 0, 0}, {1, 1, 1}};
  const std::vector<std::int64_t> indices{0, 2, 3, 4, 2};
  std::vector<float> out(indices.size() * 192);
  std::vector<std::int64_t> labels(indices.size());
  fill_batch(set, indices, std::nullopt, plain, out.data(), labels.data());
  const std::vector<int> expected{0, 0, 120, 0, 0};  // 2 and 4 become 0
  for (std::size_t i = 0; i < indices.size(); ++i) {
    EXPECT_NEAR(out[i * 192] * 255, expected[i], 2) << i;
  }
  EXPECT_EQ(labels, (std::vector<std::int64_t>{0, 0, 1, 0, 0}));
  EXPECT_EQ(source->num_unreadable(), 2);
  // A view takes its own: never an image that was held out of it.
  const ImageSet without = set.view(std::vector<std::int64_t>{2, 3, 4});
  const std::vector<std::int64_t> first{0};
  EXPECT_EQ(text_thrown<UnreadableImage>([&] {
              fill_batch(without, first, std::nullopt, plain, out.data(), labels.data());
            }).find((folder_ / "4.jpg").string()),
            0u);

  const auto strict = std::make_shared<FolderSource>(files, std::vector<std::string>{"a", "b"},
                                                     /*strict=*/true);
  EXPECT_EQ(text_thrown<Error>([&] {
              fill_batch(ImageSet(strict, 8), indices, std::nullopt, plain, out.data(),
                         labels.data());
            }),
            (folder_ / "2.jpg").string() + ": cut short or damaged: expected a whole image");
}

TEST_F(FolderSourceTest, LeavesOutWhatIsNoImage) {
  write_photo(folder_ / "a.png", photo(20, 20, 0, 1));
  write_plain(folder_ / "b.png", "no image");
  const std::vector<ImageFile> files{{folder_ / "a.png", 0}, {folder_ / "b.png", 0}};
  const FolderSource source(files, {"one"}, false);
  EXPECT_EQ(source.size(), 1);
  EXPECT_EQ(source.num_unreadable(), 1);
  EXPECT_EQ(text_thrown<Error>([&] { const FolderSource strict(files, {"one"}, true); }),
            (folder_ / "b.png").string() + ": expected a JPEG or PNG image, got another file");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              const FolderSource bad({{folder_ / "a.png", 1}}, {"one"}, false);
            }),
            "[data::FolderSource] labels must be in [0, 1), got 1");
}

TEST(ListImageFolder, FindsClassesAndSplits) {
  const TemporaryFolder folder;
  write_photo_folder(folder / "train", 3, 20, 20);
  write_photo_folder(folder / "val", 1, 20, 20);
  write_plain(folder / "train/discs/notes.txt", "not an image");
  write_plain(folder / "train/discs/.hidden.jpg", "not an image");
  const ImageFolder listed = list_image_folder(folder.path());
  EXPECT_EQ(listed.class_names, (std::vector<std::string>{"crosses", "discs", "stripes"}));
  ASSERT_EQ(listed.train.size(), 9u);
  EXPECT_EQ(listed.train[0].path, folder / "train/crosses/photo100.jpg");
  EXPECT_EQ(listed.train[1].path, folder / "train/crosses/photo101.PNG");
  EXPECT_EQ(listed.train[8].label, 2);
  EXPECT_EQ(listed.validation.size(), 3u);
  EXPECT_TRUE(listed.test.empty());
  EXPECT_EQ(list_image_folder(folder / "train").train.size(), 9u);  // without splits
}

TEST(ListImageFolder, SaysWhatIsWrong) {
  const TemporaryFolder folder;
  write_photo_folder(folder / "train", 1, 20, 20);
  const auto error = [&] { return text_thrown<Error>([&] { list_image_folder(folder.path()); }); };
  fs::create_directories(folder / "train/empty");
  EXPECT_EQ(error(), (folder / "train/empty").string() +
                         ": expected .jpg, .jpeg or .png files of this class, got none");
  fs::remove(folder / "train/empty");
  write_photo(folder / "test/disks/a.png", photo(20, 20, 0, 1));
  EXPECT_EQ(error(), (folder / "test/disks").string() +
                         ": class \"disks\" is not in the training images: did you mean "
                         "\"discs\"?");
  fs::remove_all(folder / "test");
  fs::create_directories(folder / "test");
  EXPECT_EQ(error(), (folder / "test").string() + ": expected a folder for each class, got none");
  fs::remove_all(folder / "train/discs");
  fs::remove_all(folder / "train/crosses");
  EXPECT_EQ(error(), (folder / "train").string() +
                         ": expected a folder for each of at least 2 classes, got only stripes");
  fs::remove_all(folder / "train/stripes");
  EXPECT_EQ(error(), (folder / "train").string() +
                         ": expected a folder for each of at least 2 classes, got none");
}

}  // namespace
}  // namespace lathe::data
