#include "lathe/regress/cross_validation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"

namespace lathe::regress {
namespace {

using lathe::testing::text_thrown;

std::vector<std::size_t> random_groups(std::size_t samples, std::uint32_t groups, Rng& rng) {
  std::vector<std::size_t> result(samples);
  for (std::size_t& group : result) {
    group = 1000 + 7 * std::size_t{rng.below(groups)};
  }
  return result;
}

std::vector<std::vector<std::size_t>> tests_of(const std::vector<Fold>& folds) {
  std::vector<std::vector<std::size_t>> tests;
  for (const Fold& fold : folds) {
    tests.push_back(fold.test);
  }
  return tests;
}

TEST(GroupedFoldsTest, EverySampleIsTestedOnceAndNoGroupIsSplit) {
  Rng rng(1);
  for (int trial = 0; trial < 200; ++trial) {
    const std::size_t samples = 10 + rng.below(60);
    const auto groups = random_groups(samples, 1 + rng.below(50), rng);
    const int folds = 2 + static_cast<int>(rng.below(6));
    if (num_groups(groups) < static_cast<std::size_t>(folds)) continue;
    const auto result = grouped_folds(groups, folds, rng.next());
    ASSERT_EQ(result.size(), static_cast<std::size_t>(folds));
    std::vector<int> tested(samples, 0);
    for (const Fold& fold : result) {
      EXPECT_FALSE(fold.test.empty());
      EXPECT_TRUE(std::ranges::is_sorted(fold.train));
      EXPECT_TRUE(std::ranges::is_sorted(fold.test));
      EXPECT_EQ(fold.train.size() + fold.test.size(), samples);
      std::set<std::size_t> of_test;
      for (const std::size_t i : fold.test) {
        ++tested[i];
        of_test.insert(groups[i]);
      }
      for (const std::size_t i : fold.train) {
        EXPECT_FALSE(of_test.contains(groups[i])) << "group " << groups[i] << " is split";
      }
    }
    EXPECT_EQ(tested, std::vector<int>(samples, 1));
  }
}

TEST(GroupedFoldsTest, SizesDifferByNoMoreThanTheLargestGroup) {
  Rng rng(2);
  for (int trial = 0; trial < 200; ++trial) {
    const auto groups = random_groups(80, 5 + rng.below(75), rng);
    std::map<std::size_t, std::size_t> sizes;
    for (const std::size_t group : groups) ++sizes[group];
    if (sizes.size() < 5) continue;
    std::size_t largest = 0;
    for (const auto& [group, size] : sizes) largest = std::max(largest, size);
    const auto tests = tests_of(grouped_folds(groups, 5, rng.next()));
    const auto [least, most] =
        std::ranges::minmax(tests, std::ranges::less(), &std::vector<std::size_t>::size);
    EXPECT_LE(most.size() - least.size(), largest);
  }
  std::vector<std::size_t> alone(23);
  std::iota(alone.begin(), alone.end(), std::size_t{0});
  std::multiset<std::size_t> sizes;
  for (const auto& test : tests_of(grouped_folds(alone, 5))) sizes.insert(test.size());
  EXPECT_EQ(sizes, (std::multiset<std::size_t>{4, 4, 5, 5, 5}));
}

TEST(GroupedFoldsTest, TheSeedDecidesAndNamesOfGroupsDoNot) {
  Rng rng(3);
  const auto groups = random_groups(60, 40, rng);
  std::vector<std::size_t> renamed;
  for (const std::size_t group : groups) renamed.push_back(100000 - group);
  const auto tests = tests_of(grouped_folds(groups, 5, 11));
  EXPECT_EQ(tests_of(grouped_folds(groups, 5, 11)), tests);
  EXPECT_EQ(tests_of(grouped_folds(renamed, 5, 11)), tests);
  EXPECT_NE(tests_of(grouped_folds(groups, 5, 12)), tests);
}

TEST(GroupedFoldsTest, RefusesLessThanAGroupForEachFold) {
  const std::vector<std::size_t> groups{3, 3, 4, 4, 4};
  EXPECT_EQ(num_groups(groups), 2U);
  EXPECT_EQ(tests_of(grouped_folds(groups, 2)).front().size(), 3U);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { grouped_folds(groups, 3); }),
            "[regress::grouped_folds] needs at least 2 folds and a group for each, got 3 and 2");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { grouped_folds(groups, 1); }),
            "[regress::grouped_folds] needs at least 2 folds and a group for each, got 1 and 2");
}

TEST(OutOfFoldTest, EverySampleIsPredictedOnceByAModelThatNeverSawItsGroup) {
  Rng rng(4);
  const auto groups = random_groups(70, 30, rng);
  const auto folds = grouped_folds(groups, 4, 5);
  int fits = 0;
  std::vector<int> predictions(groups.size(), 0);
  const std::vector<double> predicted =
      out_of_fold(std::span(folds), [&](std::span<const std::size_t> train) {
        ++fits;
        std::set<std::size_t> seen;
        for (const std::size_t i : train) seen.insert(groups[i]);
        return [&, seen](std::size_t i) {
          EXPECT_FALSE(seen.contains(groups[i]));
          ++predictions[i];
          return 10.0 * static_cast<double>(i);
        };
      });
  EXPECT_EQ(fits, 4);
  EXPECT_EQ(predictions, std::vector<int>(groups.size(), 1));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    EXPECT_EQ(predicted[i], 10.0 * static_cast<double>(i));
  }
}

TEST(OutOfFoldTest, MeansOfTheOthersByHand) {
  const std::vector<std::size_t> groups{0, 1, 0};
  const std::vector<double> values{1.0, 5.0, 2.0};
  const auto folds = grouped_folds(groups, 2);
  const auto predicted = out_of_fold(std::span(folds), [&](std::span<const std::size_t> train) {
    const auto known = at_indices(values, train);
    const double mean =
        std::accumulate(known.begin(), known.end(), 0.0) / static_cast<double>(known.size());
    return [mean](std::size_t) { return mean; };
  });
  EXPECT_EQ(predicted, (std::vector<double>{5.0, 1.5, 5.0}));
}

}  // namespace
}  // namespace lathe::regress
