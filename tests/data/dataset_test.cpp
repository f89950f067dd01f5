#include "lathe/data/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "data/idx_files.h"
#include "lathe/core/error.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;
using lathe::testing::idx_images;
using lathe::testing::idx_labels;
using lathe::testing::patterned_pixels;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::write_gz;
using lathe::testing::write_plain;

constexpr std::uint32_t kTrain = 200;
constexpr std::uint32_t kTest = 20;

/// `count` labels in turn, so that each of the ten classes is equally frequent.
std::string labels_in_turn(std::uint32_t count) {
  std::string labels(count, '\0');
  for (std::size_t i = 0; i < count; ++i) labels[i] = static_cast<char>(i % 10);
  return labels;
}

/// Images of 4x4 whose first two pixels hold the index, so that an image is known again.
std::string numbered_pixels(std::uint32_t count) {
  std::string pixels = patterned_pixels(count, 16);
  for (std::size_t i = 0; i < count; ++i) {
    pixels[i * 16] = static_cast<char>(i % 256);
    pixels[i * 16 + 1] = static_cast<char>(i / 256);
  }
  return pixels;
}

/// An image as it is stored.
std::vector<std::uint8_t> pixels_of(const ImageSet& set, std::int64_t i) {
  std::vector<std::uint8_t> pixels(set.image_size_bytes());
  Rng unused(0);
  set.source().read(set.source_index(i), set.image_size(), nullptr, unused, pixels);
  return pixels;
}

std::vector<std::uint8_t> all_pixels(const ImageSet& set) {
  std::vector<std::uint8_t> all;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const std::vector<std::uint8_t> pixels = pixels_of(set, i);
    all.insert(all.end(), pixels.begin(), pixels.end());
  }
  return all;
}

int number_of(const ImageSet& set, std::int64_t i) {
  const std::vector<std::uint8_t> pixels = pixels_of(set, i);
  return pixels[0] + 256 * pixels[1];
}

class DatasetTest : public ::testing::Test {
 protected:
  DatasetTest() {
    write_gz(folder_ / "train-images-idx3-ubyte.gz",
             idx_images(kTrain, 4, 4, numbered_pixels(kTrain)));
    write_gz(folder_ / "train-labels-idx1-ubyte.gz", idx_labels(labels_in_turn(kTrain)));
    write_plain(folder_ / "t10k-images-idx3-ubyte",
                idx_images(kTest, 4, 4, numbered_pixels(kTest)));
    write_plain(folder_ / "t10k-labels-idx1-ubyte", idx_labels(labels_in_turn(kTest)));
  }
  Dataset load(std::int64_t validation_size, std::uint64_t seed) const {
    return open_dataset(
        "fashion-mnist",
        {.data_dir = folder_.path(), .validation_size = validation_size, .seed = seed});
  }
  std::string load_error() const {
    return text_thrown<Error>([&] { load(50, 1); });
  }

  TemporaryFolder folder_;
};

TEST_F(DatasetTest, SplitsIntoDisjointStratifiedParts) {
  const Dataset dataset = load(50, 1);
  EXPECT_EQ(dataset.name, "fashion-mnist");
  EXPECT_EQ(dataset.train.source().class_names()[9], "Ankle boot");
  EXPECT_EQ(dataset.train.source().center_crop_share(), 1);
  EXPECT_EQ(dataset.train.size(), 150);
  EXPECT_EQ(dataset.validation.size(), 50);
  EXPECT_EQ(dataset.test.size(), kTest);
  std::set<int> seen;
  for (const ImageSet* set : {&dataset.train, &dataset.validation}) {
    EXPECT_EQ(set->channels(), 1);
    EXPECT_EQ(set->image_size(), 4);
    EXPECT_EQ(set->num_classes(), 10);
    EXPECT_EQ(&set->source(), &dataset.train.source());  // no pixel was copied
    int previous = -1;
    std::map<int, std::int64_t> per_class;
    for (std::int64_t i = 0; i < set->size(); ++i) {
      const int number = number_of(*set, i);
      EXPECT_GT(number, previous);  // in the order of the file
      previous = number;
      EXPECT_TRUE(seen.insert(number).second);
      EXPECT_EQ(set->label(i), number % 10);  // with its own label
      ++per_class[number % 10];
    }
    for (const auto& [label, count] : per_class) EXPECT_EQ(count, set->size() / 10) << label;
  }
  EXPECT_EQ(seen.size(), kTrain);
}

TEST_F(DatasetTest, SplitFollowsFromTheSeed) {
  const Dataset a = load(50, 1), b = load(50, 1), c = load(50, 2);
  EXPECT_EQ(all_pixels(a.validation), all_pixels(b.validation));
  EXPECT_EQ(all_pixels(a.train), all_pixels(b.train));
  EXPECT_NE(all_pixels(a.validation), all_pixels(c.validation));
}

TEST_F(DatasetTest, NormalizesByTrainingPixelsOnly) {
  const Dataset dataset = load(50, 1);
  double sum = 0, squares = 0;
  const std::vector<std::uint8_t> pixels = all_pixels(dataset.train);
  for (const std::uint8_t pixel : pixels) sum += pixel / 255.0;
  const double mean = sum / static_cast<double>(pixels.size());
  for (const std::uint8_t pixel : pixels) {
    squares += (pixel / 255.0 - mean) * (pixel / 255.0 - mean);
  }
  ASSERT_EQ(dataset.normalization.mean.size(), 1u);
  EXPECT_NEAR(dataset.normalization.mean[0], mean, 1e-6);
  EXPECT_NEAR(dataset.normalization.stddev[0],
              std::sqrt(squares / static_cast<double>(pixels.size())), 1e-6);
}

TEST_F(DatasetTest, NamesAMissingFileOrFolder) {
  fs::remove(folder_ / "train-labels-idx1-ubyte.gz");
  EXPECT_EQ(load_error(), (folder_ / "train-labels-idx1-ubyte.gz").string() +
                              ": no such file, nor train-labels-idx1-ubyte");
  const fs::path missing = folder_ / "elsewhere";
  EXPECT_EQ(text_thrown<Error>([&] { open_dataset("fashion-mnist", {.data_dir = missing}); }),
            missing.string() + ": no such folder: expected the files of fashion-mnist");
  KnownDataset source = known_datasets().front();
  source.default_dir = missing;
  EXPECT_EQ(text_thrown<Error>([&] { open_dataset(source, {}); }),
            missing.string() +
                ": no such folder: install the package dataset-fashion-mnist or pass --data-dir");
}

TEST_F(DatasetTest, RefusesCountsThatDiffer) {
  write_gz(folder_ / "train-labels-idx1-ubyte.gz", idx_labels(labels_in_turn(kTrain - 1)));
  EXPECT_EQ(load_error(), (folder_ / "train-labels-idx1-ubyte.gz").string() +
                              ": expected 200 labels, one for each image of "
                              "train-images-idx3-ubyte.gz, got 199");
}

TEST_F(DatasetTest, RefusesABadLabelAndATruncatedFile) {
  std::string labels = labels_in_turn(kTest);
  labels[7] = 10;
  write_plain(folder_ / "t10k-labels-idx1-ubyte", idx_labels(labels));
  EXPECT_EQ(load_error(), (folder_ / "t10k-labels-idx1-ubyte").string() +
                              ": expected labels in [0, 9], got 10 at position 7");
  write_plain(folder_ / "t10k-images-idx3-ubyte", idx_images(kTest, 4, 4, std::string(319, 'x')));
  EXPECT_EQ(load_error(), (folder_ / "t10k-images-idx3-ubyte").string() +
                              ": truncated: expected 320 bytes, 20 images of 4x4, got 319 bytes");
}

TEST_F(DatasetTest, RefusesTestImagesOfAnotherSize) {
  write_plain(folder_ / "t10k-images-idx3-ubyte",
              idx_images(kTest, 3, 3, patterned_pixels(kTest, 9)));
  EXPECT_EQ(load_error(), folder_.path().string() +
                              ": expected test images of 4x4x1, as the training images, got 3x3x1");
}

TEST_F(DatasetTest, RefusesImagesThatAreNotSquare) {
  write_gz(folder_ / "train-images-idx3-ubyte.gz",
           idx_images(kTrain, 2, 8, numbered_pixels(kTrain)));
  EXPECT_EQ(load_error(), folder_.path().string() + ": expected square images, got 2x8x1");
}

TEST_F(DatasetTest, RefusesAValidationSplitThatDoesNotFit) {
  EXPECT_EQ(text_thrown<Error>([&] { load(200, 1); }),
            folder_.path().string() +
                ": expected more than 200 training images, the size of the validation split, got "
                "200");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { load(0, 1); }),
            "[data::open_dataset] validation_size must be > 0, got 0");
}

TEST(OpenDataset, SuggestsNames) {
  EXPECT_EQ(text_thrown<Error>([] { open_dataset("fashion_mnist"); }),
            R"(unknown data set "fashion_mnist": did you mean "fashion-mnist"?)");
  EXPECT_EQ(text_thrown<Error>([] { open_dataset("imagenet"); }),
            R"(unknown data set "imagenet": known: "fashion-mnist", "cifar-10", "cifar-100")");
}

// The installed package, where there is one.
TEST(FashionMnist, HasItsKnownSizesAndStatistics) {
  if (!fs::exists(known_datasets().front().default_dir)) {
    GTEST_SKIP() << "needs the package dataset-fashion-mnist";
  }
  const Dataset dataset = open_dataset("fashion-mnist");
  EXPECT_EQ(dataset.train.size(), 55000);
  EXPECT_EQ(dataset.validation.size(), 5000);
  EXPECT_EQ(dataset.test.size(), 10000);
  EXPECT_EQ(dataset.train.image_size(), 28);
  const std::vector<int> held_out = labels(dataset.validation);
  for (int label = 0; label < 10; ++label) {
    EXPECT_EQ(std::count(held_out.begin(), held_out.end(), label), 500);
  }
  EXPECT_NEAR(dataset.normalization.mean[0], 0.286, 0.002);
  EXPECT_NEAR(dataset.normalization.stddev[0], 0.353, 0.002);
}

}  // namespace
}  // namespace lathe::data
