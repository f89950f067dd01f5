// Small images that are all in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lathe/data/image_source.h"

namespace lathe::data {

struct ImageArray {
  int channels = 0;
  int height = 0;
  int width = 0;
  int num_classes = 0;
  std::vector<std::uint8_t> pixels;      ///< [N, height, width, channels], row-major
  std::vector<int> labels;               ///< [N], each in [0, num_classes)
  std::vector<std::string> class_names;  ///< [num_classes]; empty: "0", "1", ...

  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
  std::size_t image_size_bytes() const {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width) *
           static_cast<std::size_t>(channels);
  }
};

/// An ImageArray as a source. Images are resized if another size is asked for; then training images
/// are shifted over black by at most
/// `AugmentOptions::crop_padding` and flipped.
class MemorySource : public ImageSource {
 public:
  /// @throws std::invalid_argument if the images are not square, or pixels, labels and names don't
  /// go together.
  explicit MemorySource(ImageArray images);

  std::int64_t size() const override { return images_.size(); }
  int channels() const override { return images_.channels; }
  std::span<const std::string> class_names() const override { return images_.class_names; }
  int label(std::int64_t index) const override {
    return images_.labels[static_cast<std::size_t>(index)];
  }
  ImageSize native_size(std::int64_t) const override { return {images_.height, images_.width}; }
  void read(std::int64_t index, int size, const AugmentOptions* augment, Rng& rng,
            std::span<std::uint8_t> out) const override;

 private:
  ImageArray images_;
};

}  // namespace lathe::data
