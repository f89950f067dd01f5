#include "lathe/data/augment/trivial_augment.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace lathe::data {

void apply(Operation operation, int strength, bool negative, const Pixels& image) {
  if (strength < 0 || strength >= kStrengths) {
    throw std::invalid_argument("[data::apply] strength must be in [0, " +
                                std::to_string(kStrengths) + "), got " + std::to_string(strength));
  }
  const double share = static_cast<double>(strength) / (kStrengths - 1) * (negative ? -1 : 1);
  const double factor = 1 + 0.99 * share;
  switch (operation) {
    case Operation::kIdentity:
      return;
    case Operation::kShearX:
      return transform(image, {.b = 0.99 * share});
    case Operation::kShearY:
      return transform(image, {.d = 0.99 * share});
    case Operation::kTranslateX:
      return transform(image, {.c = 32 * share});
    case Operation::kTranslateY:
      return transform(image, {.f = 32 * share});
    case Operation::kRotate:
      return transform(image, rotation(135 * share, image.size));
    case Operation::kBrightness:
      return adjust_brightness(image, factor);
    case Operation::kColor:
      return adjust_color(image, factor);
    case Operation::kContrast:
      return adjust_contrast(image, factor);
    case Operation::kSharpness:
      return adjust_sharpness(image, factor);
    case Operation::kPosterize:
      return posterize(image, 8 - static_cast<int>(std::lround(6 * std::abs(share))));
    case Operation::kSolarize:
      return solarize(image, 256 - static_cast<int>(std::lround(256 * std::abs(share))));
    case Operation::kAutoContrast:
      return auto_contrast(image);
    case Operation::kEqualize:
      return equalize(image);
  }
}

void trivial_augment(const Pixels& image, Rng& rng) {
  const auto operation = static_cast<Operation>(rng.below(kOperations));
  const auto strength = static_cast<int>(rng.below(kStrengths));
  apply(operation, strength, rng.below(2) == 1, image);
}

}  // namespace lathe::data
