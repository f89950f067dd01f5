#include "lathe/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/data/idx.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSplitStream = 0x73706c6974;  // "split"

/// The file of that name, compressed or plain. @throws Error if neither is there.
fs::path idx_path(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  fs::path compressed = folder / (name + ".gz");
  if (fs::exists(compressed, ignored)) return compressed;
  if (fs::exists(folder / name, ignored)) return folder / name;
  throw Error(compressed.string() + ": no such file, nor " + name);
}

ImageSet read_idx_pair(const fs::path& folder, const std::string& prefix, int num_classes) {
  const fs::path images_path = idx_path(folder, prefix + "-images-idx3-ubyte");
  const fs::path labels_path = idx_path(folder, prefix + "-labels-idx1-ubyte");
  IdxImages images = read_idx_images(images_path);
  ImageSet set{.channels = 1,
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

void read_fashion_mnist(const fs::path& folder, ImageSet& train, ImageSet& test) {
  constexpr int kClasses = 10;
  train = read_idx_pair(folder, "train", kClasses);
  test = read_idx_pair(folder, "t10k", kClasses);
}

std::string shape_text(const ImageSet& set) {
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

/// Moves the images `indices` (sorted) out of `set`; both keep their order.
ImageSet take_out(ImageSet& set, std::span<const std::int64_t> indices) {
  ImageSet taken{.channels = set.channels,
                 .height = set.height,
                 .width = set.width,
                 .num_classes = set.num_classes,
                 .pixels = {},
                 .labels = {}};
  const std::size_t image_size = set.image_size_bytes();
  taken.pixels.reserve(indices.size() * image_size);
  taken.labels.reserve(indices.size());
  std::size_t kept = 0, next = 0;
  for (std::size_t i = 0; i < set.labels.size(); ++i) {
    const std::uint8_t* pixels = set.pixels.data() + i * image_size;
    if (next < indices.size() && static_cast<std::size_t>(indices[next]) == i) {
      taken.pixels.insert(taken.pixels.end(), pixels, pixels + image_size);
      taken.labels.push_back(set.labels[i]);
      ++next;
      continue;
    }
    if (kept != i) {
      std::copy(pixels, pixels + image_size, set.pixels.data() + kept * image_size);
      set.labels[kept] = set.labels[i];
    }
    ++kept;
  }
  set.pixels.resize(kept * image_size);
  set.labels.resize(kept);
  return taken;
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
  source.read(folder, dataset.train, dataset.test);
  if (shape_text(dataset.train) != shape_text(dataset.test)) {
    throw Error(folder.string() + ": expected test images of " + shape_text(dataset.train) +
                ", as the training images, got " + shape_text(dataset.test));
  }
  if (dataset.train.size() <= options.validation_size) {
    throw Error(folder.string() + ": expected more than " +
                std::to_string(options.validation_size) +
                " training images, the size of the validation split, got " +
                std::to_string(dataset.train.size()));
  }
  const std::vector<std::int64_t> held_out = stratified_sample(
      dataset.train.labels, dataset.train.num_classes, options.validation_size, options.seed);
  dataset.validation = take_out(dataset.train, held_out);
  dataset.normalization = channel_statistics(dataset.train);
  return dataset;
}

std::vector<std::int64_t> stratified_sample(std::span<const int> labels, int num_classes,
                                            std::int64_t count, std::uint64_t seed) {
  const auto total = static_cast<std::int64_t>(labels.size());
  if (count < 0 || count > total) {
    throw std::invalid_argument("[data::stratified_sample] count must be in [0, " +
                                std::to_string(total) + "], got " + std::to_string(count));
  }
  std::vector<std::vector<std::int64_t>> members(static_cast<std::size_t>(num_classes));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    members.at(static_cast<std::size_t>(labels[i])).push_back(static_cast<std::int64_t>(i));
  }
  // Whole shares first; the classes with the largest remainders get one more each.
  std::vector<std::int64_t> shares(members.size()), remainders(members.size());
  std::int64_t left = count;
  for (std::size_t c = 0; c < members.size(); ++c) {
    const std::int64_t product = count * static_cast<std::int64_t>(members[c].size());
    shares[c] = total == 0 ? 0 : product / total;
    remainders[c] = total == 0 ? 0 : product % total;
    left -= shares[c];
  }
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  for (std::size_t k = 0; k < static_cast<std::size_t>(left); ++k) ++shares[order[k]];
  std::vector<std::int64_t> sample;
  for (std::size_t c = 0; c < members.size(); ++c) {
    Rng rng = Rng::derived(seed, {kSplitStream, c});
    shuffle(std::span<std::int64_t>(members[c]), rng);
    sample.insert(sample.end(), members[c].begin(), members[c].begin() + shares[c]);
  }
  std::sort(sample.begin(), sample.end());
  return sample;
}

Normalization channel_statistics(const ImageSet& set) {
  if (set.pixels.empty()) {
    throw std::invalid_argument("[data::channel_statistics] set must not be empty");
  }
  const auto channels = static_cast<std::size_t>(set.channels);
  // Sums of integers: exact in any order.
  std::vector<std::uint64_t> sums(channels), squares(channels);
  for (std::size_t i = 0; i < set.pixels.size(); i += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      const std::uint64_t pixel = set.pixels[i + c];
      sums[c] += pixel;
      squares[c] += pixel * pixel;
    }
  }
  const double count = static_cast<double>(set.pixels.size() / channels);
  Normalization result;
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = static_cast<double>(sums[c]) / count;
    const double variance = static_cast<double>(squares[c]) / count - mean * mean;
    // Differences below the rounding of the squares are a constant channel.
    const bool constant = variance < 1e-9 * (1 + mean * mean);
    result.mean.push_back(static_cast<float>(mean / 255.0));
    result.stddev.push_back(constant ? 1.0F : static_cast<float>(std::sqrt(variance) / 255.0));
  }
  return result;
}

}  // namespace lathe::data
