#include "lathe/deploy/activation_range.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"
#include "lathe/deploy/quantize.h"
#include "net_fixtures.h"

namespace lathe::deploy {
namespace {

using testing::text_thrown;

double squared_error(const std::vector<float>& values, Range range) {
  const ActivationScale s = activation_scale(range);
  double sum = 0;
  for (const float value : values) {
    const double level =
        std::clamp(std::nearbyint(value / double{s.scale}) + s.zero_point, 0.0, 255.0);
    sum += std::pow((level - s.zero_point) * s.scale - value, 2);
  }
  return sum;
}

/// The least error that any two of `limits` limits on either side give, all rounding done.
double least_error(const std::vector<float>& values, int limits) {
  const float low = std::min(0.0F, *std::min_element(values.begin(), values.end()));
  const float high = std::max(0.0F, *std::max_element(values.begin(), values.end()));
  double least = std::numeric_limits<double>::infinity();
  for (int i = low == 0 ? limits : 0; i <= limits; ++i) {
    for (int j = high == 0 ? limits : 0; j <= limits; ++j) {
      const auto share = [&](int k) { return static_cast<float>(k) / static_cast<float>(limits); };
      if (low * share(i) == high * share(j)) continue;
      least = std::min(least, squared_error(values, {low * share(i), high * share(j)}));
    }
  }
  return least;
}

struct Distribution {
  const char* name;
  std::function<double(Rng&)> draw;
};

const std::vector<Distribution> kDistributions{
    {"normal", [](Rng& rng) { return rng.normal(); }},
    {"uniform", [](Rng& rng) { return rng.uniform() - 0.3; }},
    {"relu", [](Rng& rng) { return std::max(0.0, rng.normal() - 0.5); }},
    {"long tail", [](Rng& rng) { return std::pow(rng.normal(), 3); }},
    {"longer below", [](Rng& rng) { return 1e-3 * (1 - std::exp(1.5 * rng.normal())); }},
    {"negative", [](Rng& rng) { return -40 * std::abs(rng.normal()); }},
};

TEST(ActivationRange, LeastErrorIsThatOfBruteForce) {
  for (const Distribution& distribution : kDistributions) {
    Rng rng(5);
    std::vector<float> values(4000);
    for (float& value : values) value = static_cast<float>(distribution.draw(rng));
    ValueHistogram histogram;
    histogram.add(values);
    const double found = squared_error(values, histogram.range(RangeRule::kLeastError));
    const double everything = squared_error(values, histogram.range(RangeRule::kMinMax));
    const double least = least_error(values, 48);
    EXPECT_LE(found, 1.03 * least) << distribution.name;
    EXPECT_LE(found, 1.03 * everything) << distribution.name;
  }
}

TEST(ActivationRange, OutliersAreClippedUnlessAskedFor) {
  std::vector<float> values;
  for (int i = 0; i < 100'000; ++i) values.push_back(static_cast<float>(i % 1000) / 1000);
  values.push_back(50);
  ValueHistogram histogram;
  histogram.add(values);
  // n h^2 / (12 * 255^2) + (50 - h)^2 is least at h = 50 / (1 + n / (12 * 255^2)).
  const Range least = histogram.range(RangeRule::kLeastError);
  EXPECT_NEAR(least.high, 50 / (1 + 100'000 / (12.0 * 255 * 255)), 50.0 / 128);
  EXPECT_EQ(least.low, 0);
  EXPECT_EQ(histogram.range(RangeRule::kMinMax).high, 50);
}

TEST(ActivationRange, OrderAndBatchesDoNotMatter) {
  Rng rng(6);
  std::vector<float> values(2000);
  for (float& value : values) value = static_cast<float>(std::exp(4 * rng.normal()) - 0.1);
  std::sort(values.begin(), values.end());
  ValueHistogram at_once, upwards, downwards;
  at_once.add(values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    upwards.add({&values[i], 1});
    downwards.add({&values[values.size() - 1 - i], 1});
  }
  const Range range = at_once.range(RangeRule::kLeastError);
  for (const ValueHistogram* other : {&upwards, &downwards}) {
    EXPECT_EQ(other->range(RangeRule::kLeastError).low, range.low);
    EXPECT_EQ(other->range(RangeRule::kLeastError).high, range.high);
  }
}

TEST(ActivationRange, NothingButZeros) {
  ValueHistogram histogram;
  histogram.add(std::vector<float>{0, 0});
  for (const RangeRule rule : {RangeRule::kLeastError, RangeRule::kMinMax}) {
    EXPECT_EQ(histogram.range(rule).low, 0);
    EXPECT_EQ(histogram.range(rule).high, 0);
  }
  EXPECT_EQ(activation_scale({0, 0}), (ActivationScale{1, 0}));
}

TEST(ActivationRange, ValuesMustBeFinite) {
  ValueHistogram histogram;
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
                histogram.add(std::vector<float>{1, bad});
              }),
              "[deploy::ValueHistogram] values must be finite");
  }
  EXPECT_EQ(histogram.range(RangeRule::kMinMax).high, 0);
}

TEST(ActivationScale, CoversTheRangeWithALevelForZero) {
  EXPECT_EQ(activation_scale({0, 6}).zero_point, 0);
  EXPECT_EQ(activation_scale({-2, 0}).zero_point, 255);
  EXPECT_EQ(activation_scale({-1, 1}).zero_point, 128);  // 127.5 to even
  Rng rng(7);
  for (int i = 0; i < 1000; ++i) {
    const Range range{testing::uniform(rng, -3, 0), testing::uniform(rng, 0, 5)};
    const ActivationScale s = activation_scale(range);
    const double low = -double{s.scale} * s.zero_point, high = low + 255 * double{s.scale};
    EXPECT_NEAR(low, range.low, 0.501 * s.scale);
    EXPECT_NEAR(high, range.high, 0.501 * s.scale);
  }
}

TEST(ActivationScale, NoLevelIsBeyondARangeThatBeginsAtZero) {
  Rng rng(8);
  for (int i = 0; i < 1000; ++i) {
    const float high = i == 0 ? 6.0F : testing::uniform(rng, 0, 7);
    EXPECT_LE(255 * double{activation_scale({0, high}).scale}, double{high});
  }
}

}  // namespace
}  // namespace lathe::deploy
