#include "lathe/data/files/folder_formats.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/data/files/cifar.h"
#include "lathe/data/files/idx.h"
#include "lathe/data/folder_source.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;

constexpr int kMostIdxClasses = 256;
constexpr int kSmallestPhotograph = 32, kLargestDefaultSize = 224;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// The file of that name, compressed or plain. @throws Error if neither is there.
fs::path idx_path(const fs::path& folder, const std::string& name) {
  fs::path compressed = folder / (name + ".gz");
  if (is_there(compressed)) return compressed;
  if (is_there(folder / name)) return folder / name;
  throw Error(compressed.string() + ": no such file, nor " + name);
}

ImageArray read_idx_files(const fs::path& images_path, const fs::path& labels_path,
                          int num_classes) {
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

std::string shape_text(const ImageArray& set) {
  return std::to_string(set.height) + "x" + std::to_string(set.width) + "x" +
         std::to_string(set.channels);
}

/// A set of an array, none if it is empty; all arrays of a folder have the shape of `train`.
ImageSet as_set(const fs::path& folder, ImageArray array, const std::string& what,
                const std::string& train_shape) {
  if (array.labels.empty()) return {};
  if (array.height != array.width) {
    throw Error(folder.string() + ": expected square images, got " + shape_text(array));
  }
  if (shape_text(array) != train_shape) {
    throw Error(folder.string() + ": expected " + what + " images of " + train_shape +
                ", as the training images, got " + shape_text(array));
  }
  return ImageSet(std::move(array));
}

Splits as_splits(const fs::path& folder, ImageArray train, ImageArray validation, ImageArray test) {
  const std::string shape = shape_text(train);
  Splits splits;
  splits.train = as_set(folder, std::move(train), "training", shape);
  splits.validation = as_set(folder, std::move(validation), "validation", shape);
  splits.test = as_set(folder, std::move(test), "test", shape);
  return splits;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.rfind(from);
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

/// Image files by the split that their names tell, without `.gz`.
std::map<std::string, std::string> idx_image_files(const fs::path& folder) {
  std::map<std::string, std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (name.ends_with(".gz")) name.resize(name.size() - 3);
    if (name.find("images") == std::string::npos || name.find("idx") == std::string::npos) continue;
    const auto says = [&](const char* word) { return name.find(word) != std::string::npos; };
    const std::string split = says("train")                  ? "train"
                              : says("t10k") || says("test") ? "test"
                              : says("val")                  ? "val"
                                                             : "";
    if (split.empty()) continue;
    const auto [known, added] = files.emplace(split, name);
    if (!added && known->second != name) {
      throw Error(folder.string() + ": expected one idx file of " + split + " images, got " +
                  std::min(known->second, name) + " and " + std::max(known->second, name));
    }
  }
  return files;
}

/// Any pairs of idx files; as many classes as the labels have.
Splits read_idx_folder(const fs::path& folder, const std::map<std::string, std::string>& files) {
  std::map<std::string, ImageArray> arrays;
  int num_classes = 0;
  for (const auto& [split, images] : files) {
    const std::string labels = replaced(replaced(images, "images", "labels"), "idx3", "idx1");
    ImageArray array =
        read_idx_files(idx_path(folder, images), idx_path(folder, labels), kMostIdxClasses);
    num_classes =
        std::max(num_classes, 1 + *std::max_element(array.labels.begin(), array.labels.end()));
    arrays.emplace(split, std::move(array));
  }
  if (!arrays.contains("train")) {
    throw Error(folder.string() +
                ": expected an idx file of training images, its name with \"train\", got none");
  }
  const std::vector<int>& labels = arrays["train"].labels;
  if (std::all_of(labels.begin(), labels.end(), [&](int l) { return l == labels[0]; })) {
    throw Error(folder.string() + ": expected at least 2 classes, got labels that are all " +
                std::to_string(labels[0]));
  }
  for (auto& [split, array] : arrays) array.num_classes = num_classes;
  return as_splits(folder, std::move(arrays["train"]), std::move(arrays["val"]),
                   std::move(arrays["test"]));
}

/// The file that says what CIFAR's labels stand for, one name a line: `count` of them.
/// @throws Error if there are more or fewer.
std::vector<std::string> read_class_names(const fs::path& path, int count) {
  constexpr std::uintmax_t kMostBytes = 1 << 16;
  std::error_code error;
  const std::string expected = path.string() + ": expected the names of " + std::to_string(count) +
                               " classes, one a line, got ";
  if (const std::uintmax_t size = fs::file_size(path, error); error || size > kMostBytes) {
    throw Error(expected + (error ? error.message() : std::to_string(size) + " bytes"));
  }
  std::istringstream lines(read_file(path));
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) names.push_back(std::move(line));
  }
  if (names.size() != static_cast<std::size_t>(count)) {
    throw Error(expected + std::to_string(names.size()));
  }
  return names;
}

Splits read_cifar_files(const fs::path& folder, CifarKind kind, std::vector<std::string> train) {
  const bool ten = kind == CifarKind::kCifar10;
  std::vector<fs::path> paths;
  for (const std::string& name : train) paths.push_back(folder / name);
  const std::array test{folder / (ten ? "test_batch.bin" : "test.bin")};
  ImageArray training = read_cifar(paths, kind);
  const fs::path names = folder / (ten ? "batches.meta.txt" : "fine_label_names.txt");
  if (is_there(names)) training.class_names = read_class_names(names, training.num_classes);
  return as_splits(folder, std::move(training), {}, read_cifar(test, kind));
}

/// Where files lie that are usually unpacked into a folder of their own.
fs::path inner_folder(const fs::path& folder, const char* name) {
  return is_there(folder / name) ? folder / name : folder;
}

std::vector<int> sorted_short_sides(const FolderSource& source) {
  std::vector<int> sides;
  for (std::int64_t i = 0; i < source.size(); ++i) {
    const ImageSize size = source.native_size(i);
    sides.push_back(std::min(size.height, size.width));
  }
  std::sort(sides.begin(), sides.end());
  return sides;
}

/// @throws Error if images are smaller than they are read at: more than half of them, or with
/// `strict` any.
std::int64_t count_enlarged(const fs::path& folder, const FolderSource& source, int image_size,
                            const std::vector<int>& sides, bool strict) {
  const auto smaller = std::lower_bound(sides.begin(), sides.end(), image_size) - sides.begin();
  if (smaller * 2 <= static_cast<std::ptrdiff_t>(sides.size()) && !(strict && smaller > 0)) {
    return smaller;
  }
  std::int64_t first = 0;
  const auto short_side = [&](std::int64_t i) {
    return std::min(source.native_size(i).height, source.native_size(i).width);
  };
  while (short_side(first) >= image_size) ++first;
  throw Error(folder.string() + ": expected images of at least " + std::to_string(image_size) +
              " pixels a side, got " + std::to_string(smaller) + " of " +
              std::to_string(sides.size()) + " that are smaller, such as " +
              source.path(first).filename().string() + " of " +
              std::to_string(source.native_size(first).height) + "x" +
              std::to_string(source.native_size(first).width) + "; choose a smaller --image-size");
}

FoundFormat read_image_folder(const fs::path& folder, int image_size, bool strict) {
  ImageFolder listed = list_image_folder(folder);
  std::vector<ImageFile> files = listed.train;
  files.insert(files.end(), listed.validation.begin(), listed.validation.end());
  files.insert(files.end(), listed.test.begin(), listed.test.end());
  const auto source = std::make_shared<FolderSource>(files, listed.class_names, strict);
  // Files that turned out to be no images are not in the source: what is left keeps its order.
  std::map<fs::path, int> split_of;
  for (const ImageFile& file : listed.validation) split_of[file.path] = 1;
  for (const ImageFile& file : listed.test) split_of[file.path] = 2;
  std::array<std::vector<std::int64_t>, 3> indices;
  std::vector<int> counts(listed.class_names.size());
  for (std::int64_t i = 0; i < source->size(); ++i) {
    const auto found = split_of.find(source->path(i));
    const int split = found == split_of.end() ? 0 : found->second;
    indices[static_cast<std::size_t>(split)].push_back(i);
    if (split == 0) ++counts[static_cast<std::size_t>(source->label(i))];
  }
  const auto empty = std::find(counts.begin(), counts.end(), 0);
  if (empty != counts.end()) {
    throw Error(folder.string() + ": expected readable images of class \"" +
                listed.class_names[static_cast<std::size_t>(empty - counts.begin())] +
                "\", got only damaged files");
  }
  const std::vector<int> sides = sorted_short_sides(*source);
  if (image_size == 0) {
    image_size =
        std::clamp(sides[sides.size() / 2] / 32 * 32, kSmallestPhotograph, kLargestDefaultSize);
  }
  FoundFormat found{.photographs = true};
  found.enlarged = count_enlarged(folder, *source, image_size, sides, strict);
  const ImageSet all(source, image_size);
  found.splits = {all.view(indices[0]), all.view(indices[1]), all.view(indices[2])};
  return found;
}

bool has_folders(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored) && !it->path().filename().string().starts_with(".")) return true;
  }
  return false;
}

}  // namespace

ImageArray read_idx_pair(const fs::path& folder, const std::string& prefix, int num_classes) {
  const fs::path images_path = idx_path(folder, prefix + "-images-idx3-ubyte");
  return read_idx_files(images_path, idx_path(folder, prefix + "-labels-idx1-ubyte"), num_classes);
}

Splits read_fashion_mnist(const fs::path& folder) {
  constexpr int kClasses = 10;
  ImageArray train = read_idx_pair(folder, "train", kClasses);
  train.class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                       "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  return as_splits(folder, std::move(train), {}, read_idx_pair(folder, "t10k", kClasses));
}

Splits read_cifar10(const fs::path& folder) {
  return read_cifar_files(inner_folder(folder, "cifar-10-batches-bin"), CifarKind::kCifar10,
                          {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                           "data_batch_4.bin", "data_batch_5.bin"});
}

Splits read_cifar100(const fs::path& folder) {
  return read_cifar_files(inner_folder(folder, "cifar-100-binary"), CifarKind::kCifar100,
                          {"train.bin"});
}

FoundFormat read_folder(const fs::path& folder, int image_size, bool strict) {
  FoundFormat found;
  const std::map<std::string, std::string> idx_files = idx_image_files(folder);
  if (!idx_files.empty()) {
    found.splits = read_idx_folder(folder, idx_files);
  } else if (is_there(inner_folder(folder, "cifar-10-batches-bin") / "data_batch_1.bin")) {
    found.splits = read_cifar10(folder);
  } else if (is_there(inner_folder(folder, "cifar-100-binary") / "train.bin")) {
    found.splits = read_cifar100(folder);
  } else if (has_folders(folder)) {
    return read_image_folder(folder, image_size, strict);
  } else {
    throw Error(folder.string() +
                ": expected idx files, CIFAR's binary files or a folder of images for each class, "
                "got none of these");
  }
  return found;
}

}  // namespace lathe::data
