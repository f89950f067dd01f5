#include "lathe/search/pareto.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lathe/core/random.h"

namespace lathe::search {
namespace {

Candidate candidate(std::uint8_t id, double ms, double accuracy) {
  return {.arch = {{id}}, .predicted_ms = ms, .predicted_accuracy = accuracy};
}

TEST(ParetoFrontTest, HandComputed) {
  const Candidate a = candidate(1, 1, 0.5);
  const Candidate b = candidate(2, 2, 0.7);
  const Candidate c = candidate(3, 3, 0.9);
  const std::vector<Candidate> all{candidate(9, 1, 0.4), c, candidate(8, 2.5, 0.7), b,
                                   candidate(7, 1, 0.5), a, candidate(6, 3, 0.8)};
  EXPECT_EQ(pareto_front(all), (std::vector<Candidate>{a, b, c}));
  EXPECT_TRUE(pareto_front({}).empty());
}

TEST(ParetoFrontTest, KeepsExactlyWhatNothingDominates) {
  Rng rng(1);
  std::vector<Candidate> all;
  for (int i = 0; i < 200; ++i) {
    all.push_back(candidate(static_cast<std::uint8_t>(i), rng.below(40), rng.below(40) / 40.0));
  }
  const auto front = pareto_front(all);
  const auto dominated = [&](const Candidate& x) {
    return std::ranges::any_of(all, [&](const Candidate& y) {
      return y.predicted_ms <= x.predicted_ms && y.predicted_accuracy >= x.predicted_accuracy &&
             (y.predicted_ms < x.predicted_ms || y.predicted_accuracy > x.predicted_accuracy);
    });
  };
  for (const Candidate& x : all) {
    const bool kept = std::ranges::any_of(front, [&](const Candidate& y) {
      return y.predicted_ms == x.predicted_ms && y.predicted_accuracy == x.predicted_accuracy;
    });
    ASSERT_EQ(kept, !dominated(x));
  }
  for (std::size_t i = 1; i < front.size(); ++i) {
    ASSERT_LT(front[i - 1].predicted_ms, front[i].predicted_ms);
    ASSERT_LT(front[i - 1].predicted_accuracy, front[i].predicted_accuracy);
  }
}

}  // namespace
}  // namespace lathe::search
