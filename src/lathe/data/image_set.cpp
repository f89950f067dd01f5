#include "lathe/data/image_set.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "lathe/core/random.h"
#include "lathe/data/files/image_file.h"

namespace lathe::data {
namespace {

constexpr std::uint64_t kSplitStream = 0x73706c6974;  // "split"

[[noreturn]] void fail(const std::string& text) {
  throw std::invalid_argument("[data::ImageSet" + text);
}

}  // namespace

ImageSet::ImageSet(std::shared_ptr<const ImageSource> source, int image_size)
    : source_(std::move(source)), image_size_(image_size) {
  if (!source_) fail("] source must not be null");
  if (image_size < 1) fail("] image_size must be > 0, got " + std::to_string(image_size));
  size_ = source_->size();
}

ImageSet::ImageSet(ImageArray images)
    : source_(std::make_shared<MemorySource>(std::move(images))),
      size_(source_->size()),
      image_size_(source_->native_size(0).height) {}

ImageSet ImageSet::view(std::span<const std::int64_t> indices) const {
  auto of_source = std::make_shared<std::vector<std::int64_t>>();
  of_source->reserve(indices.size());
  for (const std::int64_t index : indices) {
    if (index < 0 || index >= size_) {
      fail("::view] indices must be in [0, " + std::to_string(size_) + "), got " +
           std::to_string(index));
    }
    of_source->push_back(source_index(index));
  }
  ImageSet result = *this;
  result.indices_ = std::move(of_source);
  result.size_ = static_cast<std::int64_t>(indices.size());
  return result;
}

ImageSet ImageSet::resized(int image_size) const {
  if (image_size < 1) fail("::resized] image_size must be > 0, got " + std::to_string(image_size));
  ImageSet result = *this;
  result.image_size_ = image_size;
  return result;
}

std::vector<int> labels(const ImageSet& set) {
  std::vector<int> result;
  result.reserve(static_cast<std::size_t>(set.size()));
  for (std::int64_t i = 0; i < set.size(); ++i) result.push_back(set.label(i));
  return result;
}

Normalization channel_statistics(const ImageSet& set) {
  if (set.size() == 0) {
    throw std::invalid_argument("[data::channel_statistics] set must not be empty");
  }
  const auto channels = static_cast<std::size_t>(set.channels());
  std::vector<std::uint8_t> pixels(set.image_size_bytes());
  Rng unused(0);
  // Sums of integers: exact in any order.
  std::vector<std::uint64_t> sums(channels), squares(channels);
  std::size_t num_read = 0;
  for (std::int64_t index = 0; index < set.size(); ++index) {
    try {
      set.source().read(set.source_index(index), set.image_size(), nullptr, unused, pixels);
    } catch (const UnreadableImage&) {
      if (index + 1 == set.size() && num_read == 0) throw;
      continue;
    }
    ++num_read;
    for (std::size_t i = 0; i < pixels.size(); i += channels) {
      for (std::size_t c = 0; c < channels; ++c) {
        const std::uint64_t pixel = pixels[i + c];
        sums[c] += pixel;
        squares[c] += pixel * pixel;
      }
    }
  }
  const double count = static_cast<double>(num_read * pixels.size() / channels);
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

}  // namespace lathe::data
