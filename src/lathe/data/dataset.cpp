#include "lathe/data/dataset.h"

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/data/batches.h"
#include "lathe/data/files/folder_formats.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDefaultValidation = 5000;
constexpr std::int64_t kStatisticsPhotographs = 512;

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

/// Moves `count` images out of `set`, in the proportion of its classes.
ImageSet hold_out(ImageSet& set, std::int64_t count, std::uint64_t seed) {
  const std::vector<std::int64_t> indices =
      stratified_sample(labels(set), set.num_classes(), count, seed);
  ImageSet held_out = set.view(indices);
  set = set.view(all_but(set.size(), indices));
  return held_out;
}

void check(const DatasetOptions& options) {
  if (options.validation_size && *options.validation_size <= 0) {
    throw std::invalid_argument("[data::open_dataset] validation_size must be > 0, got " +
                                std::to_string(*options.validation_size));
  }
  if (options.image_size < 0) {
    throw std::invalid_argument("[data::open_dataset] image_size must be >= 0, got " +
                                std::to_string(options.image_size));
  }
}

Dataset split(const std::string& name, const fs::path& folder, FoundFormat found,
              const DatasetOptions& options) {
  Splits& splits = found.splits;
  // People call what they test on by either name.
  if (splits.test.size() == 0) std::swap(splits.test, splits.validation);
  const std::int64_t images = splits.train.size();
  const std::int64_t by_default =
      std::max<std::int64_t>(1, std::min(kDefaultValidation, images / 10));
  const std::int64_t validation = options.validation_size.value_or(by_default);
  const std::int64_t test = splits.test.size() == 0 ? by_default : 0;
  if (splits.validation.size() == 0 && images <= validation + test) {
    throw Error(folder.string() + ": expected more than " + std::to_string(validation + test) +
                " training images, the size of the validation" +
                (test > 0 ? " and test splits" : " split") + ", got " + std::to_string(images));
  }
  Dataset dataset{.name = name, .enlarged = found.enlarged};
  dataset.train = splits.train;
  dataset.validation = splits.validation.size() > 0
                           ? splits.validation
                           : hold_out(dataset.train, validation, options.seed);
  dataset.test = test > 0 ? hold_out(dataset.train, test, options.seed) : splits.test;
  if (options.image_size > 0) {
    for (ImageSet* set : {&dataset.train, &dataset.validation, &dataset.test}) {
      *set = set->resized(options.image_size);
    }
  }
  dataset.normalization = channel_statistics(
      found.photographs
          ? dataset.train.view(fixed_subset(dataset.train.size(), kStatisticsPhotographs, 0))
          : dataset.train);
  return dataset;
}

fs::path data_folder(const KnownDataset& known, const DatasetOptions& options) {
  const bool is_default = options.data_dir.empty();
  const fs::path& folder = is_default ? options.cache_dir / known.default_dir : options.data_dir;
  std::error_code ignored;
  if (fs::is_directory(folder, ignored)) return folder;
  throw Error(folder.string() + ": no such folder: " +
              (is_default ? known.how_to_get + " or pass --data-dir"
                          : "expected the files of " + known.name));
}

/// What a folder of somebody's own is called in files: its own name.
std::string folder_name(const fs::path& folder) {
  std::error_code error;
  const fs::path whole = fs::canonical(folder, error);
  const std::string name = (error ? folder : whole).filename().string();
  return name.empty() ? folder.string() : name;
}

}  // namespace

std::span<const KnownDataset> known_datasets() {
  static const std::vector<KnownDataset> kKnown{
      {.name = "fashion-mnist",
       .default_dir = "/usr/share/datasets/fashion-mnist",
       .how_to_get = "install the package dataset-fashion-mnist",
       .read = read_fashion_mnist},
      {.name = "cifar-10",
       .default_dir = "cifar-10",
       .how_to_get = "run scripts/get_cifar10.sh",
       .read = read_cifar10},
      {.name = "cifar-100",
       .default_dir = "cifar-100",
       .how_to_get = "unpack its binary version there",
       .read = read_cifar100},
  };
  return kKnown;
}

bool is_dataset_name(const std::string& name) {
  const std::span<const KnownDataset> known = known_datasets();
  return std::any_of(known.begin(), known.end(), [&](const auto& k) { return k.name == name; });
}

Dataset open_dataset(const std::string& name_or_folder, const DatasetOptions& options) {
  std::vector<std::string> names;
  for (const KnownDataset& known : known_datasets()) {
    if (known.name == name_or_folder) return open_dataset(known, options);
    names.push_back(known.name);
  }
  check(options);
  std::error_code ignored;
  const fs::path folder = name_or_folder;
  if (!fs::is_directory(folder, ignored)) {
    throw Error((folder.has_parent_path() ? name_or_folder + ": no such folder, nor a data set: "
                                          : "unknown data set \"" + name_or_folder + "\": ") +
                nearest_names(name_or_folder, names));
  }
  if (!options.data_dir.empty()) {
    throw Error(name_or_folder + ": is a folder: --data-dir is for data sets known by name, got " +
                options.data_dir.string());
  }
  return split(folder_name(folder), folder, read_folder(folder, options.image_size, options.strict),
               options);
}

Dataset open_dataset(const KnownDataset& known, const DatasetOptions& options) {
  check(options);
  const fs::path folder = data_folder(known, options);
  return split(known.name, folder, {.splits = known.read(folder)}, options);
}

}  // namespace lathe::data
