#include "lathe/data/batches.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

namespace lathe::data {
namespace {

// Streams of the one seed, so that no two uses share their random numbers.
constexpr std::uint64_t kOrderStream = 0x6f72646572;      // "order"
constexpr std::uint64_t kAugmentStream = 0x6175676d656e;  // "augmen"
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
  std::vector<std::uint8_t> bytes(set.image_size_bytes());
  for (std::size_t i = 0; i < indices.size(); ++i, out += bytes.size()) {
    if (indices[i] < 0 || indices[i] >= set.size()) {
      fail("fill_batch] indices[" + std::to_string(i) + "] must be in [0, " +
           std::to_string(set.size()) + "), got " + std::to_string(indices[i]));
    }
    const std::int64_t index = indices[i];
    Rng rng(0);
    if (augmentation) {
      rng = Rng::derived(augmentation->seed,
                         {kAugmentStream, static_cast<std::uint64_t>(augmentation->epoch),
                          static_cast<std::uint64_t>(index)});
    }
    const AugmentOptions* augment = augmentation ? &augmentation->options : nullptr;
    set.source().read(set.source_index(index), size, augment, rng, bytes);
    normalize(bytes, static_cast<std::size_t>(channels), table.data(), out);
    if (augment) cut_out(draw_cutout(*augment, size, rng), size, channels, out);
    labels[i] = set.label(index);
  }
}

}  // namespace lathe::data
