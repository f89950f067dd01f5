#include "lathe/data/memory_source.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "lathe/data/augment/resize.h"

namespace lathe::data {
namespace {

[[noreturn]] void fail(const std::string& text) {
  throw std::invalid_argument("[data::MemorySource] " + text);
}

/// Copies pixels; `step` is +1, or -1 to read from right to left.
void copy_pixels(const std::uint8_t* first, std::ptrdiff_t step, std::ptrdiff_t count,
                 std::ptrdiff_t channels, std::uint8_t* out) {
  if (step == 1) {
    std::copy_n(first, count * channels, out);
    return;
  }
  for (std::ptrdiff_t x = 0; x < count; ++x, out += channels) {
    std::copy_n(first + x * step * channels, channels, out);
  }
}

/// Row y of the result is row y + shift_y of the image, and likewise for columns; outside is black.
void place(const std::uint8_t* pixels, int size, int channels, const Placement& placement,
           std::uint8_t* out) {
  const auto row_size = static_cast<std::ptrdiff_t>(size) * channels;
  // In the shifted image columns [begin, end) come from the image, the others are black.
  const int begin = std::clamp(-placement.shift_x, 0, size);
  const int end = std::clamp(size - placement.shift_x, begin, size);
  const int black_before = placement.flip ? size - end : begin;
  const int first = (placement.flip ? end - 1 : begin) + placement.shift_x;
  for (int y = 0; y < size; ++y, out += row_size) {
    const int source = y + placement.shift_y;
    if (end - begin < size || source < 0 || source >= size) {
      std::fill_n(out, row_size, std::uint8_t{0});
    }
    if (begin == end || source < 0 || source >= size) continue;
    copy_pixels(pixels + source * row_size + static_cast<std::ptrdiff_t>(first) * channels,
                placement.flip ? -1 : 1, end - begin, channels,
                out + static_cast<std::ptrdiff_t>(black_before) * channels);
  }
}

}  // namespace

MemorySource::MemorySource(ImageArray images) : images_(std::move(images)) {
  if (images_.height != images_.width || images_.height < 1 || images_.channels < 1) {
    fail("images must be square, got " + std::to_string(images_.height) + "x" +
         std::to_string(images_.width) + "x" + std::to_string(images_.channels));
  }
  if (images_.pixels.size() != images_.labels.size() * images_.image_size_bytes()) {
    fail("pixels must be " + std::to_string(images_.labels.size() * images_.image_size_bytes()) +
         " bytes for " + std::to_string(images_.labels.size()) + " labels, got " +
         std::to_string(images_.pixels.size()));
  }
  if (images_.class_names.empty()) {
    for (int c = 0; c < images_.num_classes; ++c) images_.class_names.push_back(std::to_string(c));
  }
  if (images_.class_names.size() != static_cast<std::size_t>(images_.num_classes)) {
    fail("class_names must be " + std::to_string(images_.num_classes) + ", got " +
         std::to_string(images_.class_names.size()));
  }
  for (const int label : images_.labels) {
    if (label < 0 || label >= images_.num_classes) {
      fail("labels must be in [0, " + std::to_string(images_.num_classes) + "), got " +
           std::to_string(label));
    }
  }
}

void MemorySource::read(std::int64_t index, int size, const AugmentOptions* augment, Rng& rng,
                        std::span<std::uint8_t> out) const {
  if (size < 1) fail("size must be > 0, got " + std::to_string(size));
  const Placement placement = augment ? draw_placement(*augment, rng) : Placement{};
  const std::uint8_t* pixels =
      images_.pixels.data() + static_cast<std::size_t>(index) * images_.image_size_bytes();
  if (size == images_.height) {
    place(pixels, size, images_.channels, placement, out.data());
    return;
  }
  std::vector<std::uint8_t> resized(out.size());
  resize_region({pixels, images_.height, images_.width, images_.channels},
                {0, 0, images_.height, images_.width}, size, resized);
  place(resized.data(), size, images_.channels, placement, out.data());
}

}  // namespace lathe::data
