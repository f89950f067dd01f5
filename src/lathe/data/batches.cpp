#include "lathe/data/batches.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <new>
#include <numeric>
#include <stdexcept>
#include <string>

#include "lathe/data/augment/color.h"
#include "lathe/data/augment/mixing.h"
#include "lathe/data/augment/trivial_augment.h"
#include "lathe/data/files/image_file.h"

namespace lathe::data {
namespace {

// Streams of the one seed, so that no two uses share their random numbers.
constexpr std::uint64_t kOrderStream = 0x6f72646572;      // "order"
constexpr std::uint64_t kAugmentStream = 0x6175676d656e;  // "augmen"
constexpr std::uint64_t kMixStream = 0x6d6978;            // "mix"
constexpr std::uint64_t kSubsetStream = 0x737562736574;   // "subset"

[[noreturn]] void fail(const std::string& text) { throw std::invalid_argument("[data::" + text); }

std::vector<std::int64_t> permutation(std::int64_t size, Rng rng) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  shuffle(std::span<std::int64_t>(order), rng);
  return order;
}

void require_size(std::int64_t size, const char* function) {
  if (size < 0 || size > std::numeric_limits<std::uint32_t>::max()) {
    fail(std::string(function) + "] size must be in [0, 2^32), got " + std::to_string(size));
  }
}

void require_batch_size(std::int64_t batch_size, const char* function) {
  if (batch_size > 0) return;
  fail(std::string(function) + "] batch_size must be > 0, got " + std::to_string(batch_size));
}

/// The normalised value of each byte: [channels, 256]. A table costs nothing beside a batch, and
/// gives the same bits whether or not the compiler fuses multiplication and addition.
std::vector<float> value_table(const ImageSet& set, const Normalization& normalization) {
  const auto channels = static_cast<std::size_t>(set.channels());
  if (normalization.mean.size() != channels || normalization.stddev.size() != channels) {
    fail("fill_batch] normalization must have " + std::to_string(channels) + " channels, got " +
         std::to_string(normalization.mean.size()) + " means and " +
         std::to_string(normalization.stddev.size()) + " standard deviations");
  }
  std::vector<float> table(channels * 256);
  for (std::size_t c = 0; c < channels; ++c) {
    const double stddev = normalization.stddev[c];
    if (!(stddev > 0)) {
      fail("fill_batch] stddev[" + std::to_string(c) + "] must be > 0, got " +
           std::to_string(stddev));
    }
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const double value = static_cast<double>(byte) / 255.0;
      table[c * 256 + byte] = static_cast<float>((value - normalization.mean[c]) / stddev);
    }
  }
  return table;
}

/// The values of one image's bytes.
void normalize(std::span<const std::uint8_t> bytes, std::size_t channels, const float* table,
               float* out) {
  if (channels == 1) {  // the common case of small images, without the inner loop
    for (std::size_t i = 0; i < bytes.size(); ++i) out[i] = table[bytes[i]];
    return;
  }
  for (std::size_t i = 0; i < bytes.size(); i += channels) {
    for (std::size_t c = 0; c < channels; ++c) out[i + c] = table[c * 256 + bytes[i + c]];
  }
}

/// Sets the hole to 0, the mean of normalised input.
void cut_out(const Hole& hole, int size, int channels, float* out) {
  const auto row_size = static_cast<std::ptrdiff_t>(size) * channels;
  for (int y = hole.top; y < hole.bottom; ++y) {
    std::fill(out + y * row_size + static_cast<std::ptrdiff_t>(hole.left) * channels,
              out + y * row_size + static_cast<std::ptrdiff_t>(hole.right) * channels, 0.0F);
  }
}

AlignedFloats allocate_floats(std::size_t count) {
  constexpr std::size_t kAlignment = 64;  // as tensors have it
  const std::size_t bytes = (count * sizeof(float) + kAlignment) / kAlignment * kAlignment;
  AlignedFloats floats(static_cast<float*>(std::aligned_alloc(kAlignment, bytes)));
  if (!floats) throw std::bad_alloc();
  return floats;
}

/// What reads one image of a set with the randomness of another's place in it.
class ImageReader {
 public:
  ImageReader(const ImageSet& set, const std::optional<Augmentation>& augmentation)
      : set_(set), augmentation_(augmentation) {}

  /// Writes the image `index`; if that can't be read, the next one of its class, beginning anew
  /// after the last. Gives the generator as reading leaves it.
  Rng read(std::int64_t index, std::span<std::uint8_t> bytes) const {
    const int label = set_.label(index);
    const AugmentOptions* augment = augmentation_ ? &augmentation_->options : nullptr;
    for (std::int64_t from = index;;) {
      Rng rng = generator(index);
      try {
        set_.source().read(set_.source_index(from), set_.image_size(), augment, rng, bytes);
        return rng;
      } catch (const UnreadableImage&) {
        do {
          from = (from + 1) % set_.size();
        } while (from != index && set_.label(from) != label);
        if (from == index) throw;
      }
    }
  }

 private:
  Rng generator(std::int64_t index) const {
    if (!augmentation_) return Rng(0);
    return Rng::derived(augmentation_->seed,
                        {kAugmentStream, static_cast<std::uint64_t>(augmentation_->epoch),
                         static_cast<std::uint64_t>(index)});
  }

  const ImageSet& set_;
  const std::optional<Augmentation>& augmentation_;
};

}  // namespace

Batches Batches::training(std::int64_t size, std::int64_t batch_size, std::uint64_t seed,
                          std::int64_t epoch) {
  require_size(size, "Batches::training");
  if (batch_size < 1 || batch_size > size) {
    fail("Batches::training] batch_size must be in [1, " + std::to_string(size) + "], got " +
         std::to_string(batch_size));
  }
  std::vector<std::int64_t> order =
      permutation(size, Rng::derived(seed, {kOrderStream, static_cast<std::uint64_t>(epoch)}));
  order.resize(static_cast<std::size_t>(size / batch_size * batch_size));
  return Batches(std::move(order), batch_size);
}

Batches Batches::evaluation(std::int64_t size, std::int64_t batch_size) {
  require_size(size, "Batches::evaluation");
  require_batch_size(batch_size, "Batches::evaluation");
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  return Batches(std::move(order), batch_size);
}

Batches Batches::over(std::vector<std::int64_t> indices, std::int64_t batch_size) {
  require_batch_size(batch_size, "Batches::over");
  return Batches(std::move(indices), batch_size);
}

std::int64_t Batches::count() const {
  return image_count() / batch_size_ + (image_count() % batch_size_ != 0 ? 1 : 0);
}

std::span<const std::int64_t> Batches::operator[](std::int64_t batch) const {
  if (batch < 0 || batch >= count()) {
    fail("Batches::operator[]] batch must be in [0, " + std::to_string(count()) + "), got " +
         std::to_string(batch));
  }
  const std::int64_t begin = batch * batch_size_;
  return std::span<const std::int64_t>(indices_).subspan(
      static_cast<std::size_t>(begin),
      static_cast<std::size_t>(std::min(batch_size_, image_count() - begin)));
}

std::vector<std::int64_t> fixed_subset(std::int64_t size, std::int64_t count, std::uint64_t seed) {
  require_size(size, "fixed_subset");
  if (count < 0) fail("fixed_subset] count must be >= 0, got " + std::to_string(count));
  std::vector<std::int64_t> order = permutation(size, Rng::derived(seed, {kSubsetStream}));
  order.resize(static_cast<std::size_t>(std::min(size, count)));
  return order;
}

void fill_batch(const ImageSet& set, std::span<const std::int64_t> indices,
                const std::optional<Augmentation>& augmentation, const Normalization& normalization,
                float* out, std::int64_t* labels) {
  const std::vector<float> table = value_table(set, normalization);
  const int size = set.image_size(), channels = set.channels();
  const ImageReader reader(set, augmentation);
  std::vector<std::uint8_t> bytes(set.image_size_bytes());
  for (std::size_t i = 0; i < indices.size(); ++i, out += bytes.size()) {
    if (indices[i] < 0 || indices[i] >= set.size()) {
      fail("fill_batch] indices[" + std::to_string(i) + "] must be in [0, " +
           std::to_string(set.size()) + "), got " + std::to_string(indices[i]));
    }
    Rng rng = reader.read(indices[i], bytes);
    if (augmentation) {
      const Pixels pixels{bytes, size, channels};
      jitter_colors(augmentation->options, pixels, rng);
      if (augmentation->options.trivial_augment) trivial_augment(pixels, rng);
    }
    normalize(bytes, static_cast<std::size_t>(channels), table.data(), out);
    if (augmentation) {
      cut_out(draw_cutout(augmentation->options, size, rng), size, channels, out);
      cut_out(draw_erasing(augmentation->options, size, rng), size, channels, out);
    }
    labels[i] = set.label(indices[i]);
  }
}

std::vector<float> mix_batch(const Augmentation& augmentation, std::span<const std::int64_t> labels,
                             int num_classes, int size, int channels, float* images) {
  const AugmentOptions& options = augmentation.options;
  if ((options.mixup == 0 && options.cutmix == 0) || labels.empty()) return {};
  Rng rng =
      Rng::derived(augmentation.seed, {kMixStream, static_cast<std::uint64_t>(augmentation.epoch),
                                       static_cast<std::uint64_t>(augmentation.batch)});
  const Mix mix = draw_mix(options, size, rng);
  mix_images(mix, static_cast<std::int64_t>(labels.size()), size, channels, images);
  return mix_labels(mix, labels, num_classes);
}

ImageBatch load_batch(const ImageSet& set, std::span<const std::int64_t> indices,
                      const std::optional<Augmentation>& augmentation,
                      const Normalization& normalization) {
  ImageBatch batch{.count = static_cast<std::int64_t>(indices.size()),
                   .size = set.image_size(),
                   .channels = set.channels(),
                   .num_classes = set.num_classes()};
  batch.pixels = allocate_floats(indices.size() * set.image_size_bytes());
  batch.labels.resize(indices.size());
  fill_batch(set, indices, augmentation, normalization, batch.pixels.get(), batch.labels.data());
  if (augmentation) {
    batch.targets = mix_batch(*augmentation, batch.labels, batch.num_classes, batch.size,
                              batch.channels, batch.pixels.get());
  }
  return batch;
}

}  // namespace lathe::data
