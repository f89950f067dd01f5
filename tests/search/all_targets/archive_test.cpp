#include "lathe/search/all_targets/archive.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"

namespace lathe::search {
namespace {

using lathe::testing::text_thrown;

Candidate candidate(std::uint8_t id, double ms, double accuracy) {
  return {.arch = {{id}}, .predicted_ms = ms, .predicted_accuracy = accuracy};
}

TEST(CandidateTest, RanksByAccuracyThenLatencyThenArch) {
  EXPECT_TRUE(better(candidate(9, 5, 0.8), candidate(1, 1, 0.7)));
  EXPECT_TRUE(better(candidate(9, 1, 0.7), candidate(1, 5, 0.7)));
  EXPECT_TRUE(better(candidate(1, 1, 0.7), candidate(9, 1, 0.7)));
  EXPECT_FALSE(better(candidate(1, 1, 0.7), candidate(1, 1, 0.7)));
}

TEST(ArchiveTest, EachNetOnceAndInEveryLimitThatItFits) {
  Archive archive({10, 20, 30}, 2);
  EXPECT_TRUE(archive.add(candidate(1, 10, 0.5)));  // exactly at a limit is within it
  EXPECT_TRUE(archive.add(candidate(2, 15, 0.4)));
  EXPECT_TRUE(archive.add(candidate(3, 31, 0.9)));
  EXPECT_FALSE(archive.add(candidate(1, 1, 1.0)));
  EXPECT_EQ(archive.all().size(), 3U);
  EXPECT_TRUE(archive.contains({{3}}));
  EXPECT_FALSE(archive.contains({{4}}));
  const auto ids = [&](std::size_t t) {
    const auto ranking = archive.ranking(t);
    return std::vector<std::size_t>(ranking.begin(), ranking.end());
  };
  EXPECT_EQ(ids(0), (std::vector<std::size_t>{0}));
  EXPECT_EQ(ids(1), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(ids(2), (std::vector<std::size_t>{0, 1}));
  archive.add(candidate(5, 25, 0.45));
  EXPECT_EQ(ids(2), (std::vector<std::size_t>{0, 3}));
}

TEST(ArchiveTest, RankingsEqualSortingEverything) {
  const std::vector<double> limits{0.2, 0.5, 0.7, 2};
  Archive archive(limits, 10);
  Rng rng(2);
  for (int i = 0; i < 250; ++i) {
    // Few distinct values, so that ties are common.
    archive.add({.arch = {{static_cast<std::uint8_t>(rng.below(256)),
                           static_cast<std::uint8_t>(rng.below(4))}},
                 .predicted_ms = rng.below(20) / 20.0,
                 .predicted_accuracy = rng.below(8) / 8.0});
  }
  for (std::size_t t = 0; t < limits.size(); ++t) {
    std::vector<Candidate> expected;
    for (const Candidate& each : archive.all()) {
      if (each.predicted_ms <= limits[t]) {
        expected.push_back(each);
      }
    }
    std::ranges::sort(expected, better);
    expected.resize(std::min<std::size_t>(expected.size(), 10));
    std::vector<Candidate> got;
    for (const std::size_t index : archive.ranking(t)) {
      got.push_back(archive[index]);
    }
    EXPECT_EQ(got, expected) << limits[t];
  }
}

TEST(ArchiveTest, RefusesBadArguments) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { Archive({}, 1); }),
            "[search::Archive] needs a limit and a capacity, got 0 limits and capacity 1");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { Archive({1}, 0); }),
            "[search::Archive] needs a limit and a capacity, got 1 limits and capacity 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] {
              Archive({2, 2}, 1);
            }),
            "[search::Archive] limits must ascend, got 2.000000 before 2.000000");
  Archive archive({1}, 1);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { archive.add(candidate(1, NAN, 0.5)); }),
            "[search::Archive::add] predictions must be finite, got nan ms and accuracy 0.500000");
  EXPECT_TRUE(archive.all().empty());
}

}  // namespace
}  // namespace lathe::search
