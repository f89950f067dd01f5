#include "lathe/run/winners.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

using lathe::testing::stage_space;
using lathe::testing::text_thrown;
using search::Candidate;

class WinnersTest : public ::testing::Test {
 protected:
  /// On a device that measures `script_ms`, in this order.
  Winner winner(const std::vector<double>& script_ms, const search::TargetResult& target,
                const std::vector<Candidate>& front = {}, int attempts = 12) {
    sessions_ = 0;
    return find_winner(
        target, front, attempts,
        [&](const space::Arch&) {
          return sessions_ < script_ms.size() ? script_ms[sessions_++] : 1000.0;
        },
        [this](const Progress& p) { notes_.push_back(p.message); });
  }

  /// A target of 1 ms and one candidate for each predicted latency, best first; all distinct.
  search::TargetResult one_ms(const std::vector<double>& predicted_ms) {
    search::TargetResult target{.target_ms = 1.0, .feasible = true, .minimum_ms = 0.1};
    for (const double ms : predicted_ms) {
      target.candidates.push_back(
          candidate(ms, 0.9 - 0.01 * static_cast<double>(target.candidates.size())));
    }
    return target;
  }

  Candidate candidate(double predicted_ms, double accuracy) {
    Rng rng(static_cast<std::uint64_t>(1000 * predicted_ms));
    return {space_->sample(rng), predicted_ms, accuracy};
  }

  std::shared_ptr<const space::Space> space_ = stage_space();
  std::vector<std::string> notes_;
  std::size_t sessions_ = 0;
};

TEST_F(WinnersTest, IsTheBestCandidateIfItHolds) {
  const Winner found = winner({0.98, 0.99}, one_ms({0.95, 0.9}));
  EXPECT_EQ(sessions_, 2U);
  EXPECT_TRUE(found.holds);
  EXPECT_EQ(found.candidate.predicted_ms, 0.95);
  EXPECT_TRUE(found.replaced_ms.empty());
  EXPECT_TRUE(notes_.empty());
}

TEST_F(WinnersTest, OneSessionDoesNotDecide) {
  Winner found = winner({3.0, 0.98, 0.97}, one_ms({0.95}));
  EXPECT_TRUE(found.holds) << "a burst in the first session";
  EXPECT_EQ(sessions_, 3U);
  found = winner({0.98, 1.02, 1.01}, one_ms({0.95}));
  EXPECT_FALSE(found.holds) << "a lucky first session";
}

TEST_F(WinnersTest, ReplacesCandidatesUntilOneHolds) {
  const Winner found = winner({1.02, 1.04, 1.01, 1.01, 0.97, 0.97}, one_ms({0.99, 0.95, 0.9, 0.5}));
  EXPECT_TRUE(found.holds);
  EXPECT_EQ(found.candidate.predicted_ms, 0.9);
  ASSERT_EQ(found.replaced_ms.size(), 2U);
  EXPECT_DOUBLE_EQ(found.replaced_ms[0], 1.03);
  EXPECT_DOUBLE_EQ(found.replaced_ms[1], 1.01);
  ASSERT_EQ(notes_.size(), 2U);
  EXPECT_EQ(notes_[0], "target 1.000 ms: a candidate predicted at 0.990 ms measured 1.030 ms");
}

TEST_F(WinnersTest, PassesOverThoseThatTheSameErrorPutsAboveTheTarget) {
  // 0.99 measured as 1.1: what is predicted above 0.9 is not worth a try.
  const Winner found = winner({1.1, 1.1, 0.99, 0.99}, one_ms({0.99, 0.98, 0.95, 0.91, 0.89, 0.5}));
  EXPECT_EQ(sessions_, 4U);
  EXPECT_EQ(found.candidate.predicted_ms, 0.89);
}

TEST_F(WinnersTest, FindsFasterOnesOnTheFront) {
  const std::vector<Candidate> front{candidate(2.0, 0.99), candidate(0.7, 0.7),
                                     candidate(0.3, 0.3)};
  const Winner found = winner({1.3, 1.3, 0.95, 0.95}, one_ms({0.99, 0.98}), front);
  EXPECT_EQ(found.candidate.predicted_ms, 0.7);
  EXPECT_TRUE(found.holds);
}

TEST_F(WinnersTest, TriesTheFastestLastWhenAllAreGuessedTooSlow) {
  // After the first, none is predicted below 1 / 1.5.
  const Winner found = winner({1.5, 1.5, 0.99, 0.99}, one_ms({0.99, 0.98, 0.9, 0.95}));
  EXPECT_EQ(sessions_, 4U);
  EXPECT_EQ(found.candidate.predicted_ms, 0.9);
  EXPECT_TRUE(found.holds);
}

TEST_F(WinnersTest, IsTheFastestMeasuredIfNoneHolds) {
  const Winner found = winner({1.5, 1.5, 1.2, 1.2, 1.3, 1.3}, one_ms({0.99, 0.6, 0.5}));
  EXPECT_FALSE(found.holds);
  EXPECT_EQ(found.candidate.predicted_ms, 0.6);
  EXPECT_EQ(found.replaced_ms, (std::vector<double>{1.5, 1.3}));  // not its own
}

TEST_F(WinnersTest, GivesUpAfterSoManyAttempts) {
  const Winner found =
      winner({1.01, 1.01, 1.02, 1.02, 0.5, 0.5}, one_ms({0.99, 0.9, 0.8, 0.7}), {}, /*attempts=*/2);
  EXPECT_EQ(sessions_, 4U);
  EXPECT_FALSE(found.holds);
  EXPECT_EQ(found.candidate.predicted_ms, 0.99);
}

TEST_F(WinnersTest, NeedsACandidate) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { winner({}, {.target_ms = 0.05}); }),
            "[run::find_winner] the target must have a candidate");
}

}  // namespace
}  // namespace lathe::run
