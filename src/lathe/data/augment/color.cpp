#include "lathe/data/augment/color.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

namespace lathe::data {
namespace {

using Table = std::array<std::uint8_t, 256>;

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

std::size_t num_pixels(const Pixels& image) {
  return static_cast<std::size_t>(image.size) * static_cast<std::size_t>(image.size);
}

/// `from` plus `factor` times what `value` is more.
std::uint8_t away(double from, double value, double factor) {
  return to_byte(from + factor * (value - from));
}

void look_up(const Pixels& image, int channel, const Table& table) {
  for (auto i = static_cast<std::size_t>(channel); i < image.bytes.size();
       i += static_cast<std::size_t>(image.channels)) {
    image.bytes[i] = table[image.bytes[i]];
  }
}

void look_up(const Pixels& image, const Table& table) {
  for (int c = 0; c < image.channels; ++c) look_up(image, c, table);
}

template <typename Function>
Table table_of(const Function& function) {
  Table table;
  for (int v = 0; v < 256; ++v) table[static_cast<std::size_t>(v)] = to_byte(function(v));
  return table;
}

std::array<std::int64_t, 256> histogram(const Pixels& image, int channel) {
  std::array<std::int64_t, 256> counts{};
  for (auto i = static_cast<std::size_t>(channel); i < image.bytes.size();
       i += static_cast<std::size_t>(image.channels)) {
    ++counts[image.bytes[i]];
  }
  return counts;
}

}  // namespace

double gray(const std::uint8_t* pixel, int channels) {
  if (channels == 3) return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
  double sum = 0;
  for (int c = 0; c < channels; ++c) sum += pixel[c];
  return sum / channels;
}

void adjust_brightness(const Pixels& image, double factor) {
  look_up(image, table_of([&](int v) { return factor * v; }));
}

void adjust_contrast(const Pixels& image, double factor) {
  double sum = 0;
  for (std::size_t i = 0; i < image.bytes.size(); i += static_cast<std::size_t>(image.channels)) {
    sum += gray(image.bytes.data() + i, image.channels);
  }
  const double mean = sum / static_cast<double>(num_pixels(image));
  look_up(image, table_of([&](int v) { return mean + factor * (v - mean); }));
}

void adjust_color(const Pixels& image, double factor) {
  if (image.channels != 3) return;
  for (std::size_t i = 0; i < image.bytes.size(); i += 3) {
    const double of_pixel = gray(image.bytes.data() + i, 3);
    for (std::size_t c = 0; c < 3; ++c) {
      image.bytes[i + c] = away(of_pixel, image.bytes[i + c], factor);
    }
  }
}

void adjust_sharpness(const Pixels& image, double factor) {
  const std::vector<std::uint8_t> before(image.bytes.begin(), image.bytes.end());
  const auto step = static_cast<std::ptrdiff_t>(image.channels);
  const auto row = static_cast<std::ptrdiff_t>(image.size) * step;
  for (std::ptrdiff_t y = 1; y + 1 < image.size; ++y) {
    for (std::ptrdiff_t i = y * row + step; i < (y + 1) * row - step; ++i) {
      const std::uint8_t* at = before.data() + i;
      int sum = 4 * *at;
      for (const std::ptrdiff_t dy : {-row, std::ptrdiff_t{0}, row}) {
        sum += at[dy - step] + at[dy] + at[dy + step];
      }
      image.bytes[static_cast<std::size_t>(i)] = away(sum / 13.0, *at, factor);
    }
  }
}

void posterize(const Pixels& image, int bits) {
  const int mask = 0xff & ~(0xff >> std::clamp(bits, 0, 8));
  look_up(image, table_of([&](int v) { return v & mask; }));
}

void solarize(const Pixels& image, int threshold) {
  look_up(image, table_of([&](int v) { return v >= threshold ? 255 - v : v; }));
}

void auto_contrast(const Pixels& image) {
  for (int c = 0; c < image.channels; ++c) {
    const std::array<std::int64_t, 256> counts = histogram(image, c);
    int low = 0, high = 255;
    while (low < 255 && counts[static_cast<std::size_t>(low)] == 0) ++low;
    while (high > low && counts[static_cast<std::size_t>(high)] == 0) --high;
    if (low >= high) continue;
    look_up(image, c, table_of([&](int v) { return 255.0 * (v - low) / (high - low); }));
  }
}

void equalize(const Pixels& image) {
  for (int c = 0; c < image.channels; ++c) {
    const std::array<std::int64_t, 256> counts = histogram(image, c);
    std::int64_t total = 0, last = 0;
    for (const std::int64_t count : counts) {
      total += count;
      if (count > 0) last = count;
    }
    const std::int64_t step = (total - last) / 255;
    if (step == 0) continue;
    Table table;
    std::int64_t before = step / 2;
    for (std::size_t v = 0; v < 256; ++v) {
      table[v] = static_cast<std::uint8_t>(std::min<std::int64_t>(before / step, 255));
      before += counts[v];
    }
    look_up(image, c, table);
  }
}

void transform(const Pixels& image, const Affine& affine) {
  const std::vector<std::uint8_t> before(image.bytes.begin(), image.bytes.end());
  std::uint8_t* out = image.bytes.data();
  for (int y = 0; y < image.size; ++y) {
    for (int x = 0; x < image.size; ++x, out += image.channels) {
      const double column = affine.a * (x + 0.5) + affine.b * (y + 0.5) + affine.c;
      const double row = affine.d * (x + 0.5) + affine.e * (y + 0.5) + affine.f;
      if (column < 0 || row < 0 || column >= image.size || row >= image.size) {
        std::fill_n(out, image.channels, std::uint8_t{0});
        continue;
      }
      const auto at =
          (static_cast<std::ptrdiff_t>(row) * image.size + static_cast<std::ptrdiff_t>(column)) *
          image.channels;
      std::copy_n(before.data() + at, image.channels, out);
    }
  }
}

Affine rotation(double degrees, int size) {
  const double radians = degrees * std::acos(-1.0) / 180;
  const double cosine = std::cos(radians), sine = std::sin(radians), middle = size / 2.0;
  return {.a = cosine,
          .b = -sine,
          .c = middle - cosine * middle + sine * middle,
          .d = sine,
          .e = cosine,
          .f = middle - sine * middle - cosine * middle};
}

void jitter_colors(const AugmentOptions& options, const Pixels& image, Rng& rng) {
  const double most = options.color_jitter;
  if (!(most >= 0 && most <= 1)) {
    throw std::invalid_argument("[data::jitter_colors] color_jitter must be in [0, 1], got " +
                                std::to_string(most));
  }
  if (most == 0) return;
  const auto factor = [&] { return 1 + most * (2 * rng.uniform() - 1); };
  adjust_brightness(image, factor());
  adjust_contrast(image, factor());
  adjust_color(image, factor());
}

}  // namespace lathe::data
