#include "lathe/run/answers/winners.h"

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

/// What is chosen has to be within 0.98722 of a target: the guard band of these sessions.
constexpr double kDeviation = 0.0101;

class WinnersTest : public ::testing::Test {
 protected:
  /// On a device whose sessions take `script_ms`, in this order, and then `otherwise_ms`.
  Winner winner(const std::vector<double>& script_ms, const search::TargetResult& target,
                const std::vector<Candidate>& front = {}, int attempts = 12,
                double otherwise_ms = 0.9) {
    sessions_ = 0;
    return find_winners(
               {&target, 1}, front, {.attempts = attempts, .alpha = 0.05, .deviation = kDeviation},
               [&](const space::Arch&) {
                 return sessions_ < script_ms.size() ? script_ms[sessions_++]
                                                     : (++sessions_, otherwise_ms);
               },
               [this](const Progress& p) { notes_.push_back(p.message); })
        .front();
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
  const Winner found = winner({0.98, 0.97, 0.99}, one_ms({0.95, 0.9}));
  EXPECT_TRUE(found.holds());
  EXPECT_EQ(found.candidate.predicted_ms, 0.95);
  EXPECT_TRUE(found.replaced_ms.empty());
  EXPECT_TRUE(notes_.empty());
  // Two sessions chose it; at half of 5%, with a reserve, ten that all hold are the fewest that
  // judge it.
  EXPECT_DOUBLE_EQ(found.alpha, 0.025);
  EXPECT_EQ(sessions_, 2U + found.judged_ms.size());
  EXPECT_EQ(found.judged_ms.size(), 10U);
  EXPECT_EQ(found.judged_ms[0], 0.99) << "what chose it judges it";
}

TEST_F(WinnersTest, OneSessionDoesNotChoose) {
  Winner found = winner({3.0, 0.98, 0.97}, one_ms({0.95, 0.9}));
  EXPECT_EQ(found.candidate.predicted_ms, 0.95) << "a burst in the first session";
  found = winner({0.98, 1.02, 1.01, 0.9, 0.9}, one_ms({0.95, 0.9}));
  EXPECT_EQ(found.candidate.predicted_ms, 0.9) << "a lucky first session";
}

TEST_F(WinnersTest, ABurstThatLastsDoesNotChoose) {
  const search::TargetResult target = one_ms({0.95, 0.9});
  int session = 0, asked = 0;
  const auto found = find_winners(
      {&target, 1}, {}, {.disturbed = [&] { return ++asked, session < 7; }},
      [&](const space::Arch&) { return ++session <= 7 ? 1.6 : 0.9; }, [](const Progress&) {});
  EXPECT_EQ(found[0].candidate.predicted_ms, 0.95);
  EXPECT_TRUE(found[0].replaced_ms.empty());
  EXPECT_EQ(asked, 7);
  // A device that stays so is as slow as it is.
  session = -1000000;
  const auto slow = find_winners(
      {&target, 1}, {}, {.disturbed = [] { return true; }},
      [&](const space::Arch&) { return ++session <= 7 ? 1.6 : 0.9; }, [](const Progress&) {});
  EXPECT_EQ(slow[0].verdict, measure::Verdict::kAbove);
}

TEST_F(WinnersTest, ABurstAmongTheSessionsThatJudgeDoesNotReplace) {
  const Winner found = winner({0.9, 0.9, 0.9, 5.0, 0.9, 0.9, 5.0}, one_ms({0.95, 0.9}));
  EXPECT_TRUE(found.holds());
  EXPECT_EQ(found.candidate.predicted_ms, 0.95);
  EXPECT_GT(found.judged_ms.size(), 10U);
}

TEST_F(WinnersTest, AChoiceThatIsNotConfirmedIsReplaced) {
  std::vector<double> script_ms{0.98, 0.98};  // lucky
  script_ms.insert(script_ms.end(), 8, 1.02);
  const Winner found = winner(script_ms, one_ms({0.95, 0.9}));
  EXPECT_TRUE(found.holds());
  EXPECT_EQ(found.candidate.predicted_ms, 0.9);
  EXPECT_EQ(found.replaced_ms, std::vector<double>{1.02});
  EXPECT_DOUBLE_EQ(found.alpha, 0.0125) << "a second try has less of the error left";
}

TEST_F(WinnersTest, ReplacesCandidatesUntilOneHolds) {
  const Winner found = winner({1.02, 1.04, 1.01, 1.01, 0.97, 0.97}, one_ms({0.99, 0.94, 0.9, 0.5}));
  EXPECT_TRUE(found.holds());
  EXPECT_EQ(found.candidate.predicted_ms, 0.9);
  ASSERT_EQ(found.replaced_ms.size(), 2U);
  EXPECT_DOUBLE_EQ(found.replaced_ms[0], 1.03);
  EXPECT_DOUBLE_EQ(found.replaced_ms[1], 1.01);
  ASSERT_EQ(notes_.size(), 2U);
  EXPECT_EQ(notes_[0], "target 1.000 ms: a candidate predicted at 0.990 ms measured 1.030 ms");
}

TEST_F(WinnersTest, LeavesTheNoiseItsRoom) {
  const Winner found = winner({0.99, 0.99, 0.98, 0.98}, one_ms({0.99, 0.9}));
  EXPECT_EQ(found.candidate.predicted_ms, 0.9);
  EXPECT_TRUE(found.replaced_ms.empty()) << "it was not above the target";
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_EQ(notes_[0],
            "target 1.000 ms: a candidate predicted at 0.990 ms measured 0.990 ms, too near for "
            "sessions that differ by 1.0%");
  // Where nothing else is left, it is judged all the same.
  const Winner only = winner({0.99, 0.99}, one_ms({0.99}));
  EXPECT_TRUE(only.holds());
  EXPECT_EQ(only.candidate.predicted_ms, 0.99);
}

TEST_F(WinnersTest, PassesOverThoseThatTheErrorsSeenPutAboveTheTarget) {
  // 0.99 measured as 1.1, which says half of it: what is predicted above 0.9366 is not worth a try.
  const Winner found = winner({1.1, 1.1, 0.97, 0.97}, one_ms({0.99, 0.98, 0.95, 0.93, 0.88, 0.5}));
  EXPECT_EQ(found.candidate.predicted_ms, 0.93);
  // 0.93 as 1.05: both together say more, 0.906.
  const Winner next =
      winner({1.1, 1.1, 1.05, 1.05, 0.97}, one_ms({0.99, 0.98, 0.95, 0.93, 0.92, 0.9, 0.5}));
  EXPECT_EQ(next.candidate.predicted_ms, 0.9);
}

TEST_F(WinnersTest, FindsFasterOnesOnTheFront) {
  const std::vector<Candidate> front{candidate(2.0, 0.99), candidate(0.7, 0.7),
                                     candidate(0.3, 0.3)};
  const Winner found = winner({1.3, 1.3, 0.95, 0.95}, one_ms({0.99, 0.98}), front);
  EXPECT_EQ(found.candidate.predicted_ms, 0.7);
  EXPECT_TRUE(found.holds());
}

TEST_F(WinnersTest, TriesTheFastestLastWhenAllAreGuessedTooSlow) {
  // After the first, none is predicted below 1 / 1.5.
  const Winner found = winner({1.5, 1.5, 0.98, 0.98}, one_ms({0.99, 0.98, 0.9, 0.95}));
  EXPECT_EQ(found.candidate.predicted_ms, 0.9);
  EXPECT_TRUE(found.holds());
}

TEST_F(WinnersTest, IsTheFastestMeasuredIfNoneHolds) {
  const Winner found =
      winner({1.5, 1.5, 1.2, 1.2, 1.3, 1.3}, one_ms({0.99, 0.6, 0.5}), {}, 12, 1.2);
  EXPECT_EQ(found.verdict, measure::Verdict::kAbove);
  EXPECT_EQ(found.candidate.predicted_ms, 0.6);
  EXPECT_EQ(found.replaced_ms, (std::vector<double>{1.5, 1.3}));  // not its own
}

TEST_F(WinnersTest, IsUndecidedWhereSessionsDisagree) {
  std::vector<double> script_ms{0.98, 0.98};
  for (int i = 0; i < 40; ++i) script_ms.push_back(i % 2 == 0 ? 0.98 : 1.02);
  const Winner found = winner(script_ms, one_ms({0.95}));
  EXPECT_EQ(found.verdict, measure::Verdict::kUndecided);
  EXPECT_EQ(found.judged_ms.size(), 40U);
}

TEST_F(WinnersTest, ALimitBesideLatencyIsKept) {
  // What is more accurate takes more energy.
  const search::TargetResult target = one_ms({0.95, 0.9, 0.89, 0.78});
  const auto energy = [&](const space::Arch& arch, double factor) {
    for (const Candidate& candidate : target.candidates) {
      if (candidate.arch == arch) return Session(0.7, factor * (candidate.predicted_ms + 0.12));
    }
    return Session(0.7);
  };
  const auto found = find_winners(
      {&target, 1}, {}, {}, [&](const space::Arch& arch) { return energy(arch, 1); },
      [this](const Progress& p) { notes_.push_back(p.message); });
  EXPECT_EQ(found[0].candidate.predicted_ms, 0.78);
  ASSERT_EQ(notes_.size(), 1U) << "0.9 and 0.89 were passed over: they take little less";
  EXPECT_EQ(notes_[0],
            "target 1.000 ms: a candidate of 0.700 ms takes 1.07 times what a limit allows");
  // Where none keeps it, the one that comes nearest is handed over.
  const auto none = find_winners(
      {&target, 1}, {}, {}, [&](const space::Arch& arch) { return energy(arch, 2); },
      [](const Progress&) {});
  EXPECT_EQ(none[0].candidate.predicted_ms, 0.78);
}

TEST_F(WinnersTest, GivesUpAfterSoManyAttempts) {
  const Winner found = winner({1.01, 1.01, 1.02, 1.02}, one_ms({0.99, 0.9, 0.8, 0.7}), {},
                              /*attempts=*/2, /*otherwise_ms=*/1.01);
  EXPECT_FALSE(found.holds());
  EXPECT_EQ(found.candidate.predicted_ms, 0.99);
}

TEST_F(WinnersTest, TargetsAreJudgedInTurnsAndShareTheError) {
  const std::vector<search::TargetResult> targets{one_ms({0.95}), one_ms({0.9})};
  std::vector<space::Arch> order;
  int turns = 0;
  const auto found = find_winners(targets, {}, {.alpha = 0.04, .renew = [&] { ++turns; }},
                                  [&](const space::Arch& arch) {
                                    order.push_back(arch);
                                    return 0.9;
                                  },
                                  {});
  EXPECT_DOUBLE_EQ(found[0].alpha, 0.01);
  EXPECT_DOUBLE_EQ(found[1].alpha, 0.01);
  const space::Arch &a = found[0].candidate.arch, &b = found[1].candidate.arch;
  ASSERT_NE(a, b);
  ASSERT_GE(order.size(), 8U);
  EXPECT_EQ(std::vector(order.begin() + 4, order.begin() + 8), (std::vector{a, b, a, b}));
  EXPECT_EQ(turns, static_cast<int>(found[0].judged_ms.size()));
  // One net for two targets is timed once a turn.
  const std::vector<search::TargetResult> alike{one_ms({0.95}), one_ms({0.95})};
  order.clear();
  find_winners(alike, {}, {.alpha = 0.04},
               [&](const space::Arch& arch) { return order.push_back(arch), 0.9; }, {});
  EXPECT_EQ(order.size(), 4U + found[0].judged_ms.size());
}

TEST_F(WinnersTest, NeedsACandidate) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { winner({}, {.target_ms = 0.05}); }),
            "[run::find_winners] each target must have a candidate");
}

}  // namespace
}  // namespace lathe::run
