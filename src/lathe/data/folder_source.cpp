#include "lathe/data/folder_source.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "lathe/data/augment/resize.h"

namespace lathe::data {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

bool has_image_name(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

/// The entries of a folder that `wanted` accepts, sorted by name.
template <typename Wanted>
std::vector<fs::path> entries(const fs::path& folder, const Wanted& wanted) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!is_hidden(it->path()) && wanted(*it)) found.push_back(it->path());
  }
  if (error) throw Error(folder.string() + ": cannot read: " + error.message());
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  return entries(folder, [](const fs::directory_entry& entry) {
    std::error_code ignored;
    return entry.is_directory(ignored);
  });
}

void add_images(const fs::path& class_folder, int label, std::vector<ImageFile>& files) {
  const std::vector<fs::path> paths = entries(class_folder, [](const fs::directory_entry& entry) {
    std::error_code ignored;
    return has_image_name(entry.path()) && entry.is_regular_file(ignored);
  });
  if (paths.empty()) {
    throw Error(class_folder.string() +
                ": expected .jpg, .jpeg or .png files of this class, got none");
  }
  for (const fs::path& path : paths) files.push_back({path, label});
}

/// The images of another split, with the labels that `class_names` give.
std::vector<ImageFile> images_of_split(const fs::path& folder,
                                       const std::vector<std::string>& class_names) {
  std::vector<ImageFile> files;
  for (const fs::path& class_folder : folders_in(folder)) {
    const std::string name = class_folder.filename().string();
    const auto found = std::lower_bound(class_names.begin(), class_names.end(), name);
    if (found == class_names.end() || *found != name) {
      throw Error(class_folder.string() + ": class \"" + name +
                  "\" is not in the training images: " + nearest_names(name, class_names));
    }
    add_images(class_folder, static_cast<int>(found - class_names.begin()), files);
  }
  if (files.empty()) throw Error(folder.string() + ": expected a folder for each class, got none");
  return files;
}

/// How much smaller than it is stored a region may be decoded, so that it is not enlarged again.
int shrink_for(const Region& region, int size) {
  int shrink = 1;
  while (shrink < 8 && std::min(region.height, region.width) >= size * shrink * 2) shrink *= 2;
  return shrink;
}

/// `region` of the stored image in what was decoded: smaller, and maybe turned upright.
Region decoded_region(const Region& region, const ImageSize& stored, const ImageSize& decoded) {
  const bool turned = stored.height != stored.width &&
                      (stored.height > stored.width) != (decoded.height > decoded.width);
  const Region r = turned ? Region{region.left, region.top, region.width, region.height} : region;
  const ImageSize from = turned ? ImageSize{stored.width, stored.height} : stored;
  const auto scaled = [](int value, int to, int of) {
    return static_cast<int>((std::int64_t{value} * to + of / 2) / of);
  };
  Region result{scaled(r.top, decoded.height, from.height),
                scaled(r.left, decoded.width, from.width),
                std::max(1, scaled(r.height, decoded.height, from.height)),
                std::max(1, scaled(r.width, decoded.width, from.width))};
  result.height = std::min(result.height, decoded.height);
  result.width = std::min(result.width, decoded.width);
  result.top = std::min(result.top, decoded.height - result.height);
  result.left = std::min(result.left, decoded.width - result.width);
  return result;
}

void flip_rows(std::span<std::uint8_t> image, int size, int channels) {
  const auto row_size = static_cast<std::size_t>(size) * static_cast<std::size_t>(channels);
  for (int y = 0; y < size; ++y) {
    const auto row = image.subspan(static_cast<std::size_t>(y) * row_size, row_size);
    for (int left = 0, right = size - 1; left < right; ++left, --right) {
      std::swap_ranges(row.begin() + left * channels, row.begin() + (left + 1) * channels,
                       row.begin() + right * channels);
    }
  }
}

}  // namespace

FolderSource::FolderSource(const std::vector<ImageFile>& files,
                           std::vector<std::string> class_names, bool strict)
    : class_names_(std::move(class_names)), strict_(strict) {
  images_.reserve(files.size());
  for (const ImageFile& file : files) {
    if (file.label < 0 || file.label >= static_cast<int>(class_names_.size())) {
      throw std::invalid_argument("[data::FolderSource] labels must be in [0, " +
                                  std::to_string(class_names_.size()) + "), got " +
                                  std::to_string(file.label));
    }
    try {
      images_.push_back({file.path, read_image_header(file.path), file.label});
    } catch (const UnreadableImage&) {
      if (strict_) throw;
      ++left_out_;
    }
  }
}

void FolderSource::read(std::int64_t index, int size, const AugmentOptions* augment, Rng& rng,
                        std::span<std::uint8_t> out) const {
  if (size < 1) {
    throw std::invalid_argument("[data::FolderSource] size must be > 0, got " +
                                std::to_string(size));
  }
  const Image& image = at(index);
  const ImageSize stored = image.header.size;
  const Region region = augment ? draw_resized_crop(*augment, stored.height, stored.width, rng)
                                : center_crop(stored.height, stored.width);
  const bool flip = augment && augment->horizontal_flip && rng.below(2) == 1;
  RgbImage decoded;
  try {
    decoded = read_image(image.path, image.header, shrink_for(region, size));
  } catch (const UnreadableImage& error) {
    if (strict_) throw Error(error.what());
    const std::lock_guard lock(mutex_);
    unreadable_.insert(index);
    throw;
  }
  resize_region({decoded.pixels.data(), decoded.size.height, decoded.size.width, 3},
                decoded_region(region, stored, decoded.size), size, out);
  if (flip) flip_rows(out, size, 3);
}

std::int64_t FolderSource::num_unreadable() const {
  const std::lock_guard lock(mutex_);
  return left_out_ + static_cast<std::int64_t>(unreadable_.size());
}

ImageFolder list_image_folder(const fs::path& folder) {
  std::error_code ignored;
  const bool has_splits = fs::is_directory(folder / "train", ignored);
  const fs::path train = has_splits ? folder / "train" : folder;
  ImageFolder result;
  const std::vector<fs::path> class_folders = folders_in(train);
  for (const fs::path& class_folder : class_folders) {
    result.class_names.push_back(class_folder.filename().string());
    add_images(class_folder, static_cast<int>(result.class_names.size()) - 1, result.train);
  }
  if (class_folders.size() < 2) {
    throw Error(train.string() + ": expected a folder for each of at least 2 classes, got " +
                (class_folders.empty() ? "none" : "only " + result.class_names[0]));
  }
  if (!has_splits) return result;
  for (const char* name : {"val", "valid", "validation"}) {
    if (result.validation.empty() && fs::is_directory(folder / name, ignored)) {
      result.validation = images_of_split(folder / name, result.class_names);
    }
  }
  if (fs::is_directory(folder / "test", ignored)) {
    result.test = images_of_split(folder / "test", result.class_names);
  }
  return result;
}

}  // namespace lathe::data
