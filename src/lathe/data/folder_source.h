// Photographs in files, read when they are needed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "lathe/data/files/image_file.h"
#include "lathe/data/image_source.h"

namespace lathe::data {

struct ImageFile {
  std::filesystem::path path;
  int label = 0;
};

/// JPEG and PNG files as RGB images of any size. Training images are a random part
/// (draw_resized_crop), resized and flipped; others the middle (center_crop), resized.
class FolderSource : public ImageSource {
 public:
  /// Reads every file's header. Files that have none are left out and counted; with `strict` they
  /// are errors, here and when images are read.
  /// @throws Error if a file can't be opened; with `strict`, if it is no image.
  FolderSource(const std::vector<ImageFile>& files, std::vector<std::string> class_names,
               bool strict);

  std::int64_t size() const override { return static_cast<std::int64_t>(images_.size()); }
  int channels() const override { return 3; }
  std::span<const std::string> class_names() const override { return class_names_; }
  int label(std::int64_t index) const override { return at(index).label; }
  ImageSize native_size(std::int64_t index) const override { return at(index).header.size; }
  void read(std::int64_t index, int size, const AugmentOptions* augment, Rng& rng,
            std::span<std::uint8_t> out) const override;
  bool reads_files() const override { return true; }
  double center_crop_share() const override { return kCenterCropShare; }
  std::int64_t num_unreadable() const override;

  const std::filesystem::path& path(std::int64_t index) const { return at(index).path; }

 private:
  struct Image {
    std::filesystem::path path;
    ImageHeader header;
    int label = 0;
  };
  const Image& at(std::int64_t index) const { return images_[static_cast<std::size_t>(index)]; }

  std::vector<Image> images_;
  std::vector<std::string> class_names_;
  bool strict_;
  std::int64_t left_out_ = 0;
  mutable std::mutex mutex_;
  mutable std::set<std::int64_t> unreadable_;  // found when they were read
};

/// What a folder in ImageNet's layout holds: a folder a class, in `train` and maybe `val` and
/// `test`, or without those.
struct ImageFolder {
  std::vector<std::string> class_names;  ///< of the class folders, sorted
  std::vector<ImageFile> train, validation, test;
};

/// Lists the files named .jpg, .jpeg or .png, in upper or lower case, sorted; others and hidden
/// ones are ignored. `val` may also be called `valid` or `validation`.
/// @throws Error naming the folder: fewer than two classes, a class folder without images, a class
/// in another split that is not in `train`.
ImageFolder list_image_folder(const std::filesystem::path& folder);

}  // namespace lathe::data
