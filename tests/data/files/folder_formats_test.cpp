// Opening folders of somebody's own: what is recognised, what is held out, what is refused.
#include "lathe/data/files/folder_formats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "data/cifar_files.h"
#include "data/idx_files.h"
#include "data/photo_files.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;
using lathe::testing::cifar_record;
using lathe::testing::idx_images;
using lathe::testing::idx_labels;
using lathe::testing::patterned_pixels;
using lathe::testing::photo;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::write_photo;
using lathe::testing::write_photo_folder;
using lathe::testing::write_plain;

std::set<std::int64_t> images_of(const ImageSet& set) {
  std::set<std::int64_t> images;
  for (std::int64_t i = 0; i < set.size(); ++i) images.insert(set.source_index(i));
  return images;
}

class FolderFormatsTest : public ::testing::Test {
 protected:
  void write_idx(const std::string& images, const std::string& labels, int count, int classes,
                 std::uint32_t side) {
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes += static_cast<char>(i % classes);
    const auto n = static_cast<std::uint32_t>(count);
    write_plain(folder_ / images, idx_images(n, side, side, patterned_pixels(n, side * side)));
    write_plain(folder_ / labels, idx_labels(bytes));
  }
  std::string error(const DatasetOptions& options = {}) {
    return text_thrown<Error>([&] { open_dataset(folder_.path().string(), options); });
  }
  Dataset open(const DatasetOptions& options = {}) {
    return open_dataset(folder_.path().string(), options);
  }
  std::string path() const { return folder_.path().string(); }

  TemporaryFolder folder_;
};

TEST_F(FolderFormatsTest, OpensIdxFilesOfAnySizeAndClasses) {
  write_idx("letters-train-images-idx3-ubyte", "letters-train-labels-idx1-ubyte", 100, 26, 9);
  write_idx("letters-test-images-idx3-ubyte", "letters-test-labels-idx1-ubyte", 30, 26, 9);
  const Dataset dataset = open();
  EXPECT_EQ(dataset.name, folder_.path().filename().string());
  EXPECT_EQ(dataset.train.num_classes(), 26);
  EXPECT_EQ(dataset.train.image_size(), 9);
  EXPECT_EQ(dataset.train.size(), 90);  // a tenth is held out
  EXPECT_EQ(dataset.validation.size(), 10);
  EXPECT_EQ(dataset.test.size(), 30);
}

TEST_F(FolderFormatsTest, HoldsOutATestSplitWhereThereIsNone) {
  write_idx("train-images.idx3-ubyte", "train-labels.idx1-ubyte", 100, 2, 5);
  const Dataset dataset = open({.validation_size = 20});
  EXPECT_EQ(dataset.validation.size(), 20);
  EXPECT_EQ(dataset.test.size(), 10);
  EXPECT_EQ(dataset.train.size(), 70);
  std::set<std::int64_t> all = images_of(dataset.train);
  for (const ImageSet* set : {&dataset.validation, &dataset.test}) {
    EXPECT_EQ(&set->source(), &dataset.train.source());
    for (const std::int64_t image : images_of(*set)) EXPECT_TRUE(all.insert(image).second);
    const std::vector<int> of_set = labels(*set);
    EXPECT_EQ(std::count(of_set.begin(), of_set.end(), 0), set->size() / 2);
  }
  EXPECT_EQ(all.size(), 100u);
  EXPECT_EQ(images_of(open({.validation_size = 20}).test), images_of(dataset.test));
  EXPECT_NE(images_of(open({.validation_size = 20, .seed = 1}).test), images_of(dataset.test));
  EXPECT_EQ(error({.validation_size = 90}),
            path() +
                ": expected more than 100 training images, the size of the validation and test "
                "splits, got 100");
}

TEST_F(FolderFormatsTest, ResizesSmallImages) {
  write_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 40, 2, 8);
  const Dataset dataset = open({.image_size = 4});
  EXPECT_EQ(dataset.train.image_size(), 4);
  EXPECT_EQ(dataset.test.image_size_bytes(), 16u);
  std::vector<std::uint8_t> out(16);
  Rng rng(1);
  dataset.test.source().read(0, 4, nullptr, rng, out);
  // Pixel (y, x) of image 0 is 7 * (8 y + x): the mean of the first four is 7 * 4.5.
  EXPECT_NEAR(out[0], 31.5, 0.5);
}

TEST_F(FolderFormatsTest, RefusesIdxFilesThatDoNotGoTogether) {
  write_idx("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 10, 2, 5);
  EXPECT_EQ(error(), path() +
                         ": expected an idx file of training images, its name with \"train\", "
                         "got none");
  write_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 10, 1, 5);
  EXPECT_EQ(error(), path() + ": expected at least 2 classes, got labels that are all 0");
  write_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 20, 2, 6);
  EXPECT_EQ(error(), path() + ": expected test images of 6x6x1, as the training images, got 5x5x1");
  write_idx("b-train-images-idx3-ubyte", "b-train-labels-idx1-ubyte", 20, 2, 6);
  EXPECT_EQ(error(), path() +
                         ": expected one idx file of train images, got "
                         "b-train-images-idx3-ubyte and train-images-idx3-ubyte");
  fs::remove(folder_ / "b-train-images-idx3-ubyte");
  write_plain(folder_ / "train-labels-idx1-ubyte", idx_labels("\1"));
  EXPECT_EQ(error(), (folder_ / "train-labels-idx1-ubyte").string() +
                         ": expected 20 labels, one for each image of train-images-idx3-ubyte, got "
                         "1");
  fs::remove(folder_ / "train-labels-idx1-ubyte");
  EXPECT_EQ(error(), (folder_ / "train-labels-idx1-ubyte.gz").string() +
                         ": no such file, nor train-labels-idx1-ubyte");
}

TEST_F(FolderFormatsTest, OpensCifar) {
  const fs::path inner = folder_ / "cifar-10-batches-bin";
  fs::create_directories(inner);
  for (int b = 1; b <= 5; ++b) {
    std::string records;
    for (int i = 0; i < 10; ++i) records += cifar_record(std::string(1, static_cast<char>(i)), i);
    write_plain(inner / ("data_batch_" + std::to_string(b) + ".bin"), records);
    write_plain(inner / "test_batch.bin", records);
  }
  for (const Dataset& dataset : {open(), open_dataset("cifar-10", {.data_dir = folder_.path()}),
                                 open_dataset("cifar-10", {.data_dir = inner})}) {
    EXPECT_EQ(dataset.train.size(), 45);
    EXPECT_EQ(dataset.validation.size(), 5);
    EXPECT_EQ(dataset.test.size(), 10);
    EXPECT_EQ(dataset.train.channels(), 3);
    EXPECT_EQ(dataset.normalization.mean.size(), 3u);
    EXPECT_EQ(dataset.train.source().class_names()[9], "truck");
  }
  std::string names;
  for (int i = 0; i < 10; ++i) names += "thing " + std::to_string(i) + "\r\n";
  write_plain(inner / "batches.meta.txt", names + "\n");
  EXPECT_EQ(open().test.source().class_names()[9], "truck") << "of the training images";
  EXPECT_EQ(open().train.source().class_names()[9], "thing 9");
  write_plain(inner / "batches.meta.txt", names + "one more\n");
  EXPECT_EQ(error(), (inner / "batches.meta.txt").string() +
                         ": expected the names of 10 classes, one a line, got 11");
  write_plain(inner / "batches.meta.txt", std::string(100000, 'x'));
  EXPECT_EQ(error(), (inner / "batches.meta.txt").string() +
                         ": expected the names of 10 classes, one a line, got 100000 bytes");
  fs::remove(inner / "batches.meta.txt");
  fs::remove(inner / "data_batch_4.bin");
  EXPECT_EQ(error(), (inner / "data_batch_4.bin").string() +
                         ": expected a file of CIFAR records, got no such file");
  fs::remove_all(inner);
  std::string records;
  for (int i = 0; i < 30; ++i) records += cifar_record({'\0', static_cast<char>(i % 3)}, i);
  write_plain(folder_ / "train.bin", records);
  write_plain(folder_ / "test.bin", records);
  EXPECT_EQ(open().train.num_classes(), 100);
  EXPECT_EQ(text_thrown<Error>([&] { open_dataset("cifar-10", {.cache_dir = folder_.path()}); }),
            (folder_ / "cifar-10").string() +
                ": no such folder: run scripts/get_cifar10.sh or pass --data-dir");
}

TEST_F(FolderFormatsTest, OpensPhotographs) {
  write_photo_folder(folder_.path(), 10, 70, 100);
  const Dataset dataset = open();
  EXPECT_EQ(dataset.train.image_size(), 64);  // 70 to 72 pixels, down to a multiple of 32
  EXPECT_EQ(dataset.train.num_classes(), 3);
  EXPECT_EQ(dataset.train.channels(), 3);
  EXPECT_EQ(dataset.validation.size(), 3);
  EXPECT_EQ(dataset.test.size(), 3);
  EXPECT_EQ(dataset.train.size(), 24);
  EXPECT_EQ(labels(dataset.test), (std::vector<int>{0, 1, 2}));
  EXPECT_NEAR(dataset.normalization.mean[0], 0.4, 0.15);
  EXPECT_EQ(open({.image_size = 40}).train.image_size(), 40);
  EXPECT_EQ(error({.image_size = 80}),
            path() +
                ": expected images of at least 80 pixels a side, got 30 of 30 that are "
                "smaller, such as photo100.jpg of 70x100; choose a smaller --image-size");
}

TEST_F(FolderFormatsTest, EnlargesFewSmallPhotographs) {
  write_photo_folder(folder_.path(), 10, 70, 100);
  write_photo(folder_ / "discs/tiny.png", photo(20, 20, 0, 7));
  EXPECT_EQ(open().enlarged, 1);
  EXPECT_EQ(error({.strict = true}),
            path() +
                ": expected images of at least 64 pixels a side, got 1 of 31 that are "
                "smaller, such as tiny.png of 20x20; choose a smaller --image-size");
}

TEST_F(FolderFormatsTest, TakesTheSplitsOfAFolder) {
  write_photo_folder(folder_ / "train", 10, 40, 40);
  write_photo_folder(folder_ / "val", 4, 40, 40, 50);
  Dataset dataset = open();
  EXPECT_EQ(dataset.test.size(), 12);  // val, for want of a test split
  EXPECT_EQ(dataset.validation.size(), 3);
  EXPECT_EQ(dataset.train.size(), 27);
  write_photo_folder(folder_ / "test", 2, 40, 40, 90);
  dataset = open();
  EXPECT_EQ(dataset.test.size(), 6);
  EXPECT_EQ(dataset.validation.size(), 12);
  EXPECT_EQ(dataset.train.size(), 30);
}

TEST_F(FolderFormatsTest, SkipsDamagedPhotographs) {
  write_photo_folder(folder_.path(), 10, 40, 40);
  write_plain(folder_ / "discs/broken.jpg", "no image");
  const Dataset dataset = open();
  EXPECT_EQ(dataset.train.size() + dataset.validation.size() + dataset.test.size(), 30);
  EXPECT_EQ(dataset.train.source().num_unreadable(), 1);
  EXPECT_EQ(error({.strict = true}), (folder_ / "discs/broken.jpg").string() +
                                         ": expected a JPEG or PNG image, got another file");
  fs::create_directories(folder_ / "ellipses");
  write_plain(folder_ / "ellipses/broken.jpg", "no image");
  EXPECT_EQ(error(), path() +
                         ": expected readable images of class \"ellipses\", got only damaged "
                         "files");
}

TEST_F(FolderFormatsTest, SaysWhatItCannotOpen) {
  EXPECT_EQ(error(), path() +
                         ": expected idx files, CIFAR's binary files or a folder of images for "
                         "each class, got none of these");
  EXPECT_EQ(text_thrown<Error>([] { open_dataset("./no/such"); }),
            "./no/such: no such folder, nor a data set: known: \"fashion-mnist\", \"cifar-10\", "
            "\"cifar-100\"");
  EXPECT_EQ(text_thrown<Error>([] { open_dataset("./no/cifar-10"); }),
            "./no/cifar-10: no such folder, nor a data set: did you mean \"cifar-10\"?");
  EXPECT_EQ(error({.data_dir = "/x"}),
            path() + ": is a folder: --data-dir is for data sets known by name, got /x");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { open({.image_size = -1}); }),
            "[data::open_dataset] image_size must be >= 0, got -1");
}

}  // namespace
}  // namespace lathe::data
