#include "lathe/deploy/activation_range.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace lathe::deploy {
namespace {

constexpr int kSideBits = 13;
constexpr std::int64_t kBinsPerSide = 1 << kSideBits;
constexpr int kLimits = 128;  ///< that are tried on either side of 0
constexpr double kSteps = 255;

/// A limit that may be chosen, and what lies beyond it.
struct Limit {
  double value = 0;
  double clip_error = 0;  ///< the sum of the squared distances to the limit
  double clipped = 0;     ///< values
};

}  // namespace

ValueHistogram::ValueHistogram() : counts_(2 * kBinsPerSide, 0) {}

void ValueHistogram::add(std::span<const float> values) {
  float low = 0, high = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) {
      throw std::invalid_argument("[deploy::ValueHistogram] values must be finite");
    }
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const float largest = std::max(-low, high);
  if (largest == 0) return;
  int power = 0;
  std::frexp(largest, &power);  // largest < 2^power
  const int exponent = power - kSideBits;
  if (low_ == high_) {
    exponent_ = exponent;
  } else if (exponent > exponent_) {
    widen(exponent);
  }
  low_ = std::min(low_, low);
  high_ = std::max(high_, high);
  const double bins_per_unit = std::ldexp(1.0, -exponent_);
  for (const float value : values) {
    if (value != 0) {
      const auto bin = static_cast<std::int64_t>(std::floor(double{value} * bins_per_unit));
      ++counts_[static_cast<std::size_t>(bin + kBinsPerSide)];
    }
  }
}

void ValueHistogram::widen(int exponent) {
  const int shift = std::min(exponent - exponent_, kSideBits + 1);
  std::vector<std::uint64_t> wider(counts_.size(), 0);
  for (std::int64_t bin = -kBinsPerSide; bin < kBinsPerSide; ++bin) {
    wider[static_cast<std::size_t>((bin >> shift) + kBinsPerSide)] +=
        counts_[static_cast<std::size_t>(bin + kBinsPerSide)];
  }
  counts_ = std::move(wider);
  exponent_ = exponent;
}

double ValueHistogram::middle(std::size_t bin) const {
  return std::ldexp(static_cast<double>(bin) - static_cast<double>(kBinsPerSide) + 0.5, exponent_);
}

Range ValueHistogram::range(RangeRule rule) const {
  if (rule == RangeRule::kMinMax || low_ == high_) return {low_, high_};
  const auto limits = [&](float end) {
    std::vector<Limit> found;
    for (int i = end == 0 ? kLimits : 0; i <= kLimits; ++i) {
      Limit limit{double{end} * i / kLimits};
      for (std::size_t bin = 0; bin < counts_.size(); ++bin) {
        const double beyond = middle(bin) - limit.value;
        if ((end > 0 && beyond > 0) || (end < 0 && beyond < 0)) {
          limit.clip_error += static_cast<double>(counts_[bin]) * beyond * beyond;
          limit.clipped += static_cast<double>(counts_[bin]);
        }
      }
      found.push_back(limit);
    }
    return found;
  };
  const std::vector<Limit> lows = limits(low_), highs = limits(high_);
  double values = 0;
  for (const std::uint64_t count : counts_) values += static_cast<double>(count);
  Range best;
  double least = std::numeric_limits<double>::infinity();
  for (const Limit& low : lows) {
    for (const Limit& high : highs) {
      const double step = (high.value - low.value) / kSteps;
      const double inside = values - low.clipped - high.clipped;
      const double error = low.clip_error + high.clip_error + inside * step * step / 12;
      if (step > 0 && error < least) {
        least = error;
        best = {static_cast<float>(low.value), static_cast<float>(high.value)};
      }
    }
  }
  return best;
}

}  // namespace lathe::deploy
