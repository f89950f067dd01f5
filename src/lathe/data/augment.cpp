#include "lathe/data/augment.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace lathe::data {
namespace {

void require_at_least(int value, int least, const char* name) {
  if (value >= least) return;
  throw std::invalid_argument("[data::draw_augmentation] " + std::string(name) + " must be >= " +
                              std::to_string(least) + ", got " + std::to_string(value));
}

int below(Rng& rng, int bound) {
  return static_cast<int>(rng.below(static_cast<std::uint32_t>(bound)));
}

}  // namespace

AugmentDraw draw_augmentation(const AugmentOptions& options, int height, int width, Rng& rng) {
  require_at_least(height, 1, "height");
  require_at_least(width, 1, "width");
  require_at_least(options.crop_padding, 0, "crop_padding");
  require_at_least(options.cutout, 0, "cutout");
  AugmentDraw draw;
  if (options.crop_padding > 0) {
    draw.shift_y = below(rng, 2 * options.crop_padding + 1) - options.crop_padding;
    draw.shift_x = below(rng, 2 * options.crop_padding + 1) - options.crop_padding;
  }
  if (options.horizontal_flip) draw.flip = rng.below(2) == 1;
  if (options.cutout > 0) {
    const int top = below(rng, height) - options.cutout / 2;
    const int left = below(rng, width) - options.cutout / 2;
    draw.top = std::max(top, 0);
    draw.bottom = std::min(top + options.cutout, height);
    draw.left = std::max(left, 0);
    draw.right = std::min(left + options.cutout, width);
  }
  return draw;
}

}  // namespace lathe::data
