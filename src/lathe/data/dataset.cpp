#include "lathe/data/dataset.h"

#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/data/idx.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;

/// The file of that name, compressed or plain. @throws Error if neither is there.
fs::path idx_path(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  fs::path compressed = folder / (name + ".gz");
  if (fs::exists(compressed, ignored)) return compressed;
  if (fs::exists(folder / name, ignored)) return folder / name;
  throw Error(compressed.string() + ": no such file, nor " + name);
}

ImageArray read_idx_pair(const fs::path& folder, const std::string& prefix, int num_classes) {
  const fs::path images_path = idx_path(folder, prefix + "-images-idx3-ubyte");
  const fs::path labels_path = idx_path(folder, prefix + "-labels-idx1-ubyte");
  IdxImages images = read_idx_images(images_path);
  ImageArray set{.channels = 1,
                 .height = images.height,
                 .width = images.width,
                 .num_classes = num_classes,
                 .pixels = std::move(images.pixels),
                 .labels = read_idx_labels(labels_path, num_classes)};
  if (set.size() != images.count) {
    throw Error(labels_path.string() + ": expected " + std::to_string(images.count) +
                " labels, one for each image of " + images_path.filename().string() + ", got " +
                std::to_string(set.size()));
  }
  return set;
}

void read_fashion_mnist(const fs::path& folder, ImageArray& train, ImageArray& test) {
  constexpr int kClasses = 10;
  train = read_idx_pair(folder, "train", kClasses);
  test = read_idx_pair(folder, "t10k", kClasses);
}

std::string shape_text(const ImageArray& set) {
  return std::to_string(set.height) + "x" + std::to_string(set.width) + "x" +
         std::to_string(set.channels);
}

fs::path data_folder(const DatasetSource& source, const DatasetOptions& options) {
  const bool is_default = options.data_dir.empty();
  const fs::path& folder = is_default ? source.default_dir : options.data_dir;
  std::error_code ignored;
  if (fs::is_directory(folder, ignored)) return folder;
  throw Error(folder.string() + ": no such folder: " +
              (is_default ? "install the package " + source.package + " or pass --data-dir"
                          : "expected the files of " + source.name));
}

/// The indices in [0, size) that are not in `taken` (sorted), in order.
std::vector<std::int64_t> all_but(std::int64_t size, std::span<const std::int64_t> taken) {
  std::vector<std::int64_t> rest;
  rest.reserve(static_cast<std::size_t>(size) - taken.size());
  std::size_t next = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    if (next < taken.size() && taken[next] == i) {
      ++next;
    } else {
      rest.push_back(i);
    }
  }
  return rest;
}

}  // namespace

std::span<const DatasetSource> dataset_sources() {
  static const std::vector<DatasetSource> kSources{
      {.name = "fashion-mnist",
       .default_dir = "/usr/share/datasets/fashion-mnist",
       .package = "dataset-fashion-mnist",
       .read = read_fashion_mnist},
  };
  return kSources;
}

Dataset load_dataset(const std::string& name, const DatasetOptions& options) {
  std::vector<std::string> names;
  for (const DatasetSource& source : dataset_sources()) {
    if (source.name == name) return load_dataset(source, options);
    names.push_back(source.name);
  }
  throw Error("unknown data set \"" + name + "\": " + nearest_names(name, names));
}

Dataset load_dataset(const DatasetSource& source, const DatasetOptions& options) {
  if (options.validation_size <= 0) {
    throw std::invalid_argument("[data::load_dataset] validation_size must be > 0, got " +
                                std::to_string(options.validation_size));
  }
  const fs::path folder = data_folder(source, options);
  Dataset dataset;
  dataset.name = source.name;
  ImageArray train, test;
  source.read(folder, train, test);
  if (train.height != train.width) {
    throw Error(folder.string() + ": expected square images, got " + shape_text(train));
  }
  if (shape_text(train) != shape_text(test)) {
    throw Error(folder.string() + ": expected test images of " + shape_text(train) +
                ", as the training images, got " + shape_text(test));
  }
  if (train.size() <= options.validation_size) {
    throw Error(
        folder.string() + ": expected more than " + std::to_string(options.validation_size) +
        " training images, the size of the validation split, got " + std::to_string(train.size()));
  }
  const std::vector<std::int64_t> held_out =
      stratified_sample(train.labels, train.num_classes, options.validation_size, options.seed);
  const ImageSet all(std::move(train));
  dataset.validation = all.view(held_out);
  dataset.train = all.view(all_but(all.size(), held_out));
  dataset.test = ImageSet(std::move(test));
  dataset.normalization = channel_statistics(dataset.train);
  return dataset;
}

}  // namespace lathe::data
