// Some of a source's images in an order: what is trained on, validated or tested.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lathe/data/image_source.h"
#include "lathe/data/memory_source.h"

namespace lathe::data {

/// A view of a source: copies share the source and the list of indices.
class ImageSet {
 public:
  ImageSet() = default;  ///< of no image
  /// All images of a source, read as squares of image_size pixels.
  /// @throws std::invalid_argument if there is no source, or image_size is not > 0.
  ImageSet(std::shared_ptr<const ImageSource> source, int image_size);
  /// All images of an array, in its size. @throws std::invalid_argument as MemorySource.
  ImageSet(ImageArray images);  // NOLINT(google-explicit-constructor): a set is what it holds

  /// The images `indices` of this set, in that order.
  /// @throws std::invalid_argument if one is outside the set.
  ImageSet view(std::span<const std::int64_t> indices) const;
  /// The same images at another size. @throws std::invalid_argument if it is not > 0.
  ImageSet resized(int image_size) const;

  std::int64_t size() const { return size_; }
  int label(std::int64_t index) const { return source_->label(source_index(index)); }
  int channels() const { return source_ ? source_->channels() : 0; }
  int num_classes() const { return source_ ? source_->num_classes() : 0; }
  /// Height and width that images are read at, unless another is asked for.
  int image_size() const { return image_size_; }
  std::size_t image_size_bytes() const {
    return static_cast<std::size_t>(image_size_) * static_cast<std::size_t>(image_size_) *
           static_cast<std::size_t>(channels());
  }
  /// The source; not for a set made by the default constructor.
  const ImageSource& source() const { return *source_; }
  /// Which image of the source is this set's `index`.
  std::int64_t source_index(std::int64_t index) const {
    return indices_ ? (*indices_)[static_cast<std::size_t>(index)] : index;
  }

 private:
  std::shared_ptr<const ImageSource> source_;
  std::shared_ptr<const std::vector<std::int64_t>> indices_;  // null: all, in order
  std::int64_t size_ = 0;
  int image_size_ = 0;
};

/// The labels of all images.
std::vector<int> labels(const ImageSet& set);

/// One value a channel, for pixels scaled to [0, 1].
struct Normalization {
  std::vector<float> mean;
  std::vector<float> stddev;
};

/// Mean and standard deviation of each channel; a constant channel has standard deviation 1.
/// Reads every image that can
/// be read. @throws std::invalid_argument if `set` is empty; UnreadableImage if it has none.
Normalization channel_statistics(const ImageSet& set);

/// The sorted indices of `count` images whose classes are in the proportion of `labels` (largest
/// remainder, ties to the smaller class), drawn by `seed`. O(n).
/// @throws std::invalid_argument if count is not in [0, labels.size()].
std::vector<std::int64_t> stratified_sample(std::span<const int> labels, int num_classes,
                                            std::int64_t count, std::uint64_t seed);

}  // namespace lathe::data
