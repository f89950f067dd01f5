// Which images make up each batch, and their pixels as network input. All of it follows from
// (seed, epoch, image), never from batch size, threads or what was drawn before: a resumed run
// sees the same batches.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "lathe/data/augment/augment.h"
#include "lathe/data/image_set.h"

namespace lathe::data {

/// The images of one pass over a set, batch by batch.
class Batches {
 public:
  /// A shuffled epoch of full batches: what is left over at the end is dropped, other images each
  /// epoch. @throws std::invalid_argument if batch_size is not in [1, size].
  static Batches training(std::int64_t size, std::int64_t batch_size, std::uint64_t seed,
                          std::int64_t epoch);
  /// All images in order; the last batch may be smaller.
  /// @throws std::invalid_argument if size is < 0 or batch_size is not > 0.
  static Batches evaluation(std::int64_t size, std::int64_t batch_size);
  /// The given images in order; the last batch may be smaller.
  /// @throws std::invalid_argument if batch_size is not > 0.
  static Batches over(std::vector<std::int64_t> indices, std::int64_t batch_size);

  /// The number of batches.
  std::int64_t count() const;
  /// The images of one batch; valid as long as this object.
  /// @throws std::invalid_argument if batch is not in [0, count()).
  std::span<const std::int64_t> operator[](std::int64_t batch) const;
  /// The number of images in all batches.
  std::int64_t image_count() const { return static_cast<std::int64_t>(indices_.size()); }

 private:
  Batches(std::vector<std::int64_t> indices, std::int64_t batch_size)
      : indices_(std::move(indices)), batch_size_(batch_size) {}

  std::vector<std::int64_t> indices_;
  std::int64_t batch_size_;
};

/// The indices of the same `count` images each time (all of them if there are fewer), in a random
/// order: the first of a permutation drawn by `seed`, so that a smaller subset is part of a larger
/// one. For batch-norm recalibration. @throws std::invalid_argument if size or count is < 0.
std::vector<std::int64_t> fixed_subset(std::int64_t size, std::int64_t count, std::uint64_t seed);

/// What is drawn for an image in an epoch: `Rng::derived` of seed, epoch and image.
struct Augmentation {
  AugmentOptions options;
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;
  /// Number of the batch in the epoch (of the part, if a batch is made in parts): what mixup and
  /// CutMix draw is `Rng::derived` of seed, epoch and this.
  std::int64_t batch = 0;
};

/// Writes the images `indices` of `set`, augmented or as they are, normalised:
/// out: [indices.size(), image_size, image_size, channels] float32, (pixel / 255 - mean) / stddev;
/// labels: [indices.size()]. About 1 ns a value, of images in memory. In the place of a photograph
/// that can't be read comes the next one of its class in the set: the same one whoever reads it.
/// @throws std::invalid_argument if an index is outside the set, or the normalisation has another
/// number of channels or a standard deviation that is not > 0.
void fill_batch(const ImageSet& set, std::span<const std::int64_t> indices,
                const std::optional<Augmentation>& augmentation, const Normalization& normalization,
                float* out, std::int64_t* labels);

/// Mixes a filled batch as its options say: out: [labels.size(), size, size, channels]. Gives the
/// soft labels [labels.size(), num_classes], or none if neither mixup nor CutMix is on.
/// @throws std::invalid_argument as draw_mix.
std::vector<float> mix_batch(const Augmentation& augmentation, std::span<const std::int64_t> labels,
                             int num_classes, int size, int channels, float* images);

struct FreeFloats {
  void operator()(float* floats) const { std::free(floats); }
};
using AlignedFloats = std::unique_ptr<float[], FreeFloats>;  ///< to 64 bytes

/// Images as network input.
struct ImageBatch {
  std::int64_t count = 0;
  int size = 0;
  int channels = 0;
  int num_classes = 0;
  AlignedFloats pixels;              ///< [count, size, size, channels]
  std::vector<std::int64_t> labels;  ///< [count]
  std::vector<float> targets;        ///< [count, num_classes], or none: as mix_batch()
};

/// fill_batch(), then mix_batch(). @throws as these.
ImageBatch load_batch(const ImageSet& set, std::span<const std::int64_t> indices,
                      const std::optional<Augmentation>& augmentation,
                      const Normalization& normalization);

}  // namespace lathe::data
