#include "lathe/search/chain/staircase.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "lathe/core/random.h"

namespace lathe::search {
namespace {

TEST(StaircaseTest, CoversWhatSomePairIsAtMost) {
  Rng rng(1);
  for (int round = 0; round < 200; ++round) {
    const std::uint32_t values = 2 + rng.below(30);  // the fewer, the more ties
    Staircase staircase;
    std::vector<std::array<double, 2>> pairs;
    for (int i = 0; i < 40; ++i) {
      const double x = rng.below(values);
      const double y = rng.below(values);
      EXPECT_EQ(staircase.covers(x, y),
                std::ranges::any_of(pairs, [&](const auto& p) { return p[0] <= x && p[1] <= y; }));
      if (rng.bernoulli(0.5)) {
        staircase.insert(x, y);
        pairs.push_back({x, y});
      }
    }
  }
}

TEST(StaircaseTest, CoversWhatSomeTripleIsAtMost) {
  Rng rng(2);
  for (int round = 0; round < 200; ++round) {
    const std::uint32_t values = 2 + rng.below(30);
    std::vector<double> xs;
    for (int i = 0; i < 60; ++i) {
      xs.push_back(rng.below(values));
    }
    Staircase3 staircase(xs);
    std::vector<std::array<double, 3>> triples;
    for (const double x : xs) {
      const double y = rng.below(values);
      const double z = rng.below(values);
      EXPECT_EQ(staircase.covers(x, y, z), std::ranges::any_of(triples, [&](const auto& t) {
                  return t[0] <= x && t[1] <= y && t[2] <= z;
                }));
      if (rng.bernoulli(0.5)) {
        staircase.insert(x, y, z);
        triples.push_back({x, y, z});
      }
    }
    EXPECT_FALSE(staircase.covers(-1, 1e9, 1e9)) << "below the list";
  }
  EXPECT_FALSE(Staircase3({}).covers(1, 1, 1));
}

}  // namespace
}  // namespace lathe::search
