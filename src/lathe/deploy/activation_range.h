// Which range of values the 256 levels of an 8-bit tensor should cover.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lathe::deploy {

/// How a range follows from the values that were seen.
enum class RangeRule {
  /// The least mean squared error: what is clipped, and step^2 / 12 for every other value but 0,
  /// which has a level of its own.
  kLeastError,
  kMinMax,  ///< nothing is clipped
};

/// What the lowest and the highest level stand for; 0 lies within.
struct Range {
  float low = 0;
  float high = 0;
};

/// The values of one tensor over any number of batches, in 16,384 bins whose width is a power of
/// two and grows with the largest value: what it holds doesn't depend on the order of the values.
/// A range has 4,096 bins or more.
class ValueHistogram {
 public:
  ValueHistogram();

  /// O(values). @throws std::invalid_argument if one is not finite; then none is added.
  void add(std::span<const float> values);

  /// Of kLeastError, the best of 128 limits on either side of 0, each with each: the bins' middles
  /// stand for their values. {0, 0} if there was no value but 0.
  /// @see Bennett 1948, Spectra of quantized signals, for step^2 / 12.
  Range range(RangeRule rule) const;

 private:
  void widen(int exponent);
  double middle(std::size_t bin) const;

  std::vector<std::uint64_t> counts_;  ///< of values but 0
  int exponent_ = 0;                   ///< a bin is 2^exponent_ wide; meaningless without values
  float low_ = 0;
  float high_ = 0;
};

}  // namespace lathe::deploy
