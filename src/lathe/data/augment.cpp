#include "lathe/data/augment.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

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

}  // namespace lathe::data
