// One random operation of random strength on every image.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "lathe/data/augment/color.h"

namespace lathe::data {

/// The operations in the order that they are drawn from.
enum class Operation : std::uint8_t {
  kIdentity,
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
  kRotate,
  kBrightness,
  kColor,
  kContrast,
  kSharpness,
  kPosterize,
  kSolarize,
  kAutoContrast,
  kEqualize
};

inline constexpr int kOperations = 14;
inline constexpr int kStrengths = 31;  ///< 0 to 30

/// Applies an operation; strength 0 leaves the image as it is, but for kAutoContrast and kEqualize.
/// `negative` goes the other way, where there is one: shears up to 0.99, translations up to 32
/// pixels, rotations up to 135 degrees, factors 1 -+ up to 0.99; 8 to 2 bits; thresholds 256 to 0.
/// @throws std::invalid_argument if strength is not in [0, kStrengths).
void apply(Operation operation, int strength, bool negative, const Pixels& image);

/// An operation, a strength and a direction, all uniform. @see Mueller and Hutter, "TrivialAugment"
/// (2021), with the wide strengths of its section 3. Differs in that black fills what is empty.
void trivial_augment(const Pixels& image, Rng& rng);

}  // namespace lathe::data
