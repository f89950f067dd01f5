#include "lathe/data/augment/augment.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "lathe/core/file.h"

namespace lathe::data {
namespace {

void require_at_least(int value, int least, const char* where) {
  if (value >= least) return;
  throw std::invalid_argument("[data::" + std::string(where) + " must be >= " +
                              std::to_string(least) + ", got " + std::to_string(value));
}

int below(Rng& rng, int bound) {
  return static_cast<int>(rng.below(static_cast<std::uint32_t>(bound)));
}

}  // namespace

Placement draw_placement(const AugmentOptions& options, Rng& rng) {
  require_at_least(options.crop_padding, 0, "draw_placement] crop_padding");
  Placement placement;
  if (options.crop_padding > 0) {
    placement.shift_y = below(rng, 2 * options.crop_padding + 1) - options.crop_padding;
    placement.shift_x = below(rng, 2 * options.crop_padding + 1) - options.crop_padding;
  }
  if (options.horizontal_flip) placement.flip = rng.below(2) == 1;
  return placement;
}

Region draw_resized_crop(const AugmentOptions& options, int height, int width, Rng& rng) {
  require_at_least(height, 1, "draw_resized_crop] height");
  require_at_least(width, 1, "draw_resized_crop] width");
  if (!(options.min_crop_area > 0 && options.min_crop_area <= 1)) {
    throw std::invalid_argument("[data::draw_resized_crop] min_crop_area must be in (0, 1], got " +
                                std::to_string(options.min_crop_area));
  }
  constexpr int kAttempts = 10;
  constexpr double kWidest = 4.0 / 3;
  const double area = static_cast<double>(height) * width;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double share = options.min_crop_area + (1 - options.min_crop_area) * rng.uniform();
    const double aspect = std::exp((2 * rng.uniform() - 1) * std::log(kWidest));
    const auto crop_width = static_cast<int>(std::lround(std::sqrt(area * share * aspect)));
    const auto crop_height = static_cast<int>(std::lround(std::sqrt(area * share / aspect)));
    if (crop_width < 1 || crop_height < 1 || crop_width > width || crop_height > height) continue;
    const int top = below(rng, height - crop_height + 1);
    const int left = below(rng, width - crop_width + 1);
    return {top, left, crop_height, crop_width};
  }
  const int crop_height = std::clamp(static_cast<int>(std::lround(width * kWidest)), 1, height);
  const int crop_width = std::clamp(static_cast<int>(std::lround(height * kWidest)), 1, width);
  return {(height - crop_height) / 2, (width - crop_width) / 2, crop_height, crop_width};
}

Region center_crop(int height, int width) {
  require_at_least(height, 1, "center_crop] height");
  require_at_least(width, 1, "center_crop] width");
  const int side =
      std::max(1, static_cast<int>(std::lround(std::min(height, width) * kCenterCropShare)));
  return {(height - side) / 2, (width - side) / 2, side, side};
}

nlohmann::ordered_json to_json(const AugmentOptions& o) {
  return {{"crop_padding", o.crop_padding},
          {"horizontal_flip", o.horizontal_flip},
          {"cutout", o.cutout},
          {"min_crop_area", o.min_crop_area},
          {"color_jitter", o.color_jitter},
          {"trivial_augment", o.trivial_augment},
          {"random_erasing", o.random_erasing},
          {"mixup", o.mixup},
          {"cutmix", o.cutmix}};
}

AugmentOptions augment_options_from_json(const nlohmann::json& json, const std::string& where) {
  return {.crop_padding = json_member<int>(json, "crop_padding", where),
          .horizontal_flip = json_member<bool>(json, "horizontal_flip", where),
          .cutout = json_member<int>(json, "cutout", where),
          .min_crop_area = json_member<double>(json, "min_crop_area", where),
          .color_jitter = json_member<double>(json, "color_jitter", where),
          .trivial_augment = json_member<bool>(json, "trivial_augment", where),
          .random_erasing = json_member<double>(json, "random_erasing", where),
          .mixup = json_member<double>(json, "mixup", where),
          .cutmix = json_member<double>(json, "cutmix", where)};
}

Hole draw_cutout(const AugmentOptions& options, int size, Rng& rng) {
  require_at_least(size, 1, "draw_cutout] size");
  require_at_least(options.cutout, 0, "draw_cutout] cutout");
  if (options.cutout == 0) return {};
  const int top = below(rng, size) - options.cutout / 2;
  const int left = below(rng, size) - options.cutout / 2;
  return {.top = std::max(top, 0),
          .bottom = std::min(top + options.cutout, size),
          .left = std::max(left, 0),
          .right = std::min(left + options.cutout, size)};
}

Hole draw_erasing(const AugmentOptions& options, int size, Rng& rng) {
  require_at_least(size, 1, "draw_erasing] size");
  if (!(options.random_erasing >= 0 && options.random_erasing <= 1)) {
    throw std::invalid_argument("[data::draw_erasing] random_erasing must be in [0, 1], got " +
                                std::to_string(options.random_erasing));
  }
  constexpr int kAttempts = 10;
  constexpr double kLeastArea = 0.02, kMostArea = 0.33;
  const double lowest = std::log(0.3), highest = std::log(3.3);
  if (options.random_erasing == 0 || !rng.bernoulli(options.random_erasing)) return {};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double share = kLeastArea + (kMostArea - kLeastArea) * rng.uniform();
    const double aspect = std::exp(lowest + (highest - lowest) * rng.uniform());
    const auto height = static_cast<int>(std::lround(size * std::sqrt(share * aspect)));
    const auto width = static_cast<int>(std::lround(size * std::sqrt(share / aspect)));
    if (height < 1 || width < 1 || height >= size || width >= size) continue;
    const int top = below(rng, size - height + 1);
    const int left = below(rng, size - width + 1);
    return {top, top + height, left, left + width};
  }
  return {};
}

}  // namespace lathe::data
