#include "lathe/search/search_targets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/graph/counts.h"
#include "lathe/search/pareto.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::AdditiveLatency;
using lathe::testing::SyntheticAccuracy;
using lathe::testing::SyntheticLatency;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

constexpr std::array kStrategies{
    Strategy::kAllTargets,     Strategy::kVanilla,         Strategy::kTopDown, Strategy::kBottomUp,
    Strategy::kTopDownAsCoded, Strategy::kBottomUpAsCoded, Strategy::kCold,    Strategy::kRandom};

class SearchTargetsTest : public ::testing::Test {
 protected:
  SearchTargetsTest() {
    for (const space::Arch& arch : lathe::testing::all_archs(space_)) {
      all_.push_back({.arch = arch,
                      .predicted_ms = latency_.predict_ms(arch),
                      .predicted_accuracy = accuracy_.predict(arch)});
    }
    std::ranges::sort(all_, better);
    const auto [least, most] = std::ranges::minmax(all_, {}, &Candidate::predicted_ms);
    least_ms_ = least.predicted_ms;
    most_ms_ = most.predicted_ms;
  }

  double at(double share) const { return least_ms_ + share * (most_ms_ - least_ms_); }
  std::vector<double> targets() const { return {at(0.01), at(0.1), at(0.3), at(0.6), at(1.0)}; }

  SearchResult search(const SearchOptions& options, const std::vector<double>& targets_ms,
                      std::uint64_t seed = 1) const {
    Rng rng(seed);
    return search_targets(space_, latency_, accuracy_, targets_ms, options, rng);
  }

  TinySpace space_;
  AdditiveLatency latency_{space_, 3};
  SyntheticAccuracy accuracy_{space_, 3};
  std::vector<Candidate> all_;  ///< best first
  double least_ms_ = 0;
  double most_ms_ = 0;
};

TEST_F(SearchTargetsTest, EveryStrategyFindsTheBestOfATinySpace) {
  for (const Strategy strategy : kStrategies) {
    const SearchResult found =
        search({.strategy = strategy, .evolution = {.generations = 400}}, targets());
    ASSERT_EQ(found.targets.size(), 5U);
    for (const TargetResult& target : found.targets) {
      const auto best = std::ranges::find_if(
          all_, [&](const Candidate& net) { return net.predicted_ms <= target.target_ms; });
      ASSERT_TRUE(target.feasible);
      EXPECT_EQ(target.candidates.front().arch, best->arch)
          << to_string(strategy) << ", " << target.target_ms << " ms: " << target.provenance;
    }
  }
}

TEST_F(SearchTargetsTest, ReturnedNetsAreWhatTheModelsSay) {
  const SyntheticLatency opaque(space_, 3);
  for (const latency::LatencyModel* latency :
       std::initializer_list<const latency::LatencyModel*>{&latency_, &opaque}) {
    for (const Strategy strategy : kStrategies) {
      Rng rng(5);
      const SearchResult found = search_targets(space_, *latency, accuracy_, targets(),
                                                {.strategy = strategy,
                                                 .evolution = {.population = 20, .generations = 16},
                                                 .candidates_per_target = 4},
                                                rng);
      std::int64_t evaluations = 0;
      for (const TargetResult& target : found.targets) {
        EXPECT_GE(target.candidates.size(), 1U);
        EXPECT_LE(target.candidates.size(), 4U);
        EXPECT_FALSE(target.provenance.empty());
        std::unordered_set<space::Arch> distinct;
        for (const Candidate& net : target.candidates) {
          EXPECT_NEAR(net.predicted_ms, latency->predict_ms(net.arch), 1e-12);
          EXPECT_EQ(net.predicted_accuracy, accuracy_.predict(net.arch));
          EXPECT_LE(net.predicted_ms, target.target_ms);
          EXPECT_TRUE(distinct.insert(net.arch).second);
        }
        EXPECT_TRUE(std::ranges::is_sorted(target.candidates, better));
        evaluations += target.evaluations;
      }
      if (strategy != Strategy::kAllTargets) {
        EXPECT_EQ(evaluations, found.evaluations);
      }
      EXPECT_EQ(found.front, pareto_front(found.front));
      EXPECT_GE(found.front.back().predicted_accuracy,
                found.targets.back().candidates.front().predicted_accuracy);
      EXPECT_EQ(found.trace.back().evaluations, found.evaluations);
    }
  }
}

TEST_F(SearchTargetsTest, TargetsAreSortedAndSearchedOnce) {
  for (const Strategy strategy : kStrategies) {
    const SearchResult found = search({.strategy = strategy, .evolution = {.generations = 4}},
                                      {at(0.6), at(0.1), at(0.6)});
    ASSERT_EQ(found.targets.size(), 2U);
    EXPECT_EQ(found.targets[0].target_ms, at(0.1));
    EXPECT_EQ(found.targets[1].target_ms, at(0.6));
  }
}

TEST_F(SearchTargetsTest, InfeasibleTargetsAreResults) {
  for (const Strategy strategy : kStrategies) {
    const SearchResult found =
        search({.strategy = strategy, .evolution = {.generations = 4}}, {least_ms_ / 2, at(0.5)});
    EXPECT_FALSE(found.targets[0].feasible);
    EXPECT_TRUE(found.targets[0].candidates.empty());
    EXPECT_DOUBLE_EQ(found.targets[0].minimum_ms, least_ms_);
    EXPECT_TRUE(found.targets[1].feasible);
    const SearchResult none = search({.strategy = strategy}, {least_ms_ / 2});
    EXPECT_EQ(none.evaluations, 0);
    EXPECT_FALSE(none.targets[0].feasible);
  }
}

TEST_F(SearchTargetsTest, ConstraintsAreKept) {
  double most_macs = 0;
  for (const Candidate& net : all_) {
    most_macs = std::max(most_macs, static_cast<double>(graph::macs(space_.graph(net.arch))));
  }
  for (const Strategy strategy : kStrategies) {
    if (strategy == Strategy::kAllTargets) {
      continue;
    }
    const SearchResult found = search({.strategy = strategy,
                                       .evolution = {.generations = 100},
                                       .constraints = {.max_macs = most_macs / 2}},
                                      targets());
    for (const TargetResult& target : found.targets) {
      const auto best = std::ranges::find_if(all_, [&](const Candidate& net) {
        return net.predicted_ms <= target.target_ms &&
               static_cast<double>(graph::macs(space_.graph(net.arch))) <= most_macs / 2;
      });
      EXPECT_EQ(target.candidates.front().arch, best->arch) << to_string(strategy);
    }
    const SearchResult none =
        search({.strategy = strategy, .constraints = {.max_macs = 1.0}}, {at(1.0)});
    EXPECT_FALSE(none.targets[0].feasible);
    EXPECT_EQ(none.targets[0].minimum_ms, std::numeric_limits<double>::infinity());
  }
}

TEST_F(SearchTargetsTest, SameSeedSameTraceOnOneThreadOrBesideAnother) {
  for (const Strategy strategy : kStrategies) {
    const SearchOptions options{.strategy = strategy,
                                .evolution = {.population = 20, .generations = 30}};
    const SearchResult alone = search(options, targets(), 7);
    std::array<SearchResult, 2> beside;
    std::vector<std::thread> threads;
    for (SearchResult& result : beside) {
      threads.emplace_back([&] { result = search(options, targets(), 7); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    for (const SearchResult& result : beside) {
      EXPECT_EQ(result.trace, alone.trace) << to_string(strategy);
      EXPECT_EQ(result.targets, alone.targets) << to_string(strategy);
      EXPECT_EQ(result.front, alone.front) << to_string(strategy);
    }
    EXPECT_NE(search(options, targets(), 8).trace, alone.trace) << to_string(strategy);
  }
}

TEST_F(SearchTargetsTest, StopsAtTheEvaluationsThatWereAllowed) {
  for (const Strategy strategy : kStrategies) {
    const SearchResult found = search({.strategy = strategy, .max_evaluations = 60}, targets());
    EXPECT_LE(found.evaluations, 60) << to_string(strategy);
    EXPECT_GE(found.evaluations, 40) << to_string(strategy);
    for (const TargetResult& target : found.targets) {
      EXPECT_TRUE(target.feasible);
    }
    // Even where that is too few, every target has an answer.
    EXPECT_EQ(search({.strategy = strategy, .max_evaluations = 1}, {at(0.5)}).evaluations, 1);
  }
}

TEST_F(SearchTargetsTest, StopsWhenTheTimeIsOver) {
  const SearchResult found = search(
      {.strategy = Strategy::kVanilla, .evolution = {.generations = 1'000'000}, .budget_s = 0.05},
      targets());
  EXPECT_LT(found.seconds, 2.0);
  for (const TargetResult& target : found.targets) {
    EXPECT_TRUE(target.feasible);
  }
}

TEST_F(SearchTargetsTest, ReportsProgressToTheEnd) {
  for (const Strategy strategy : {Strategy::kVanilla, Strategy::kTopDown, Strategy::kRandom}) {
    std::vector<Progress> seen;
    Rng rng(1);
    search_targets(space_, latency_, accuracy_, targets(),
                   {.strategy = strategy, .evolution = {.population = 10, .generations = 9}}, rng,
                   [&](const Progress& progress) { seen.push_back(progress); });
    EXPECT_EQ(seen.back().done, seen.back().total) << to_string(strategy);
    EXPECT_EQ(seen.back().stage, "search");
  }
}

TEST_F(SearchTargetsTest, RefusesOptionsOutOfRange) {
  const std::string begin = "[search::search_targets] ";
  const auto refusal = [&](const SearchOptions& options) {
    return text_thrown<std::invalid_argument>([&] { search(options, {1.0}); });
  };
  EXPECT_EQ(refusal({.evolution = {.population = 0}}),
            begin + "evolution.population must be from 1 to 1000000, got 0");
  EXPECT_EQ(refusal({.evolution = {.generations = -1}}),
            begin + "evolution.generations must be from 0 to 10000000, got -1");
  EXPECT_EQ(refusal({.evolution = {.followup_generations = -1}}),
            begin + "evolution.followup_generations must be from 0 to 10000000, got -1");
  EXPECT_EQ(refusal({.evolution = {.population = 1'000'000, .generations = 10'000'000}}),
            begin +
                "evolution.population times generations must be from 0 to 100000000, got "
                "10000000000000");
  EXPECT_EQ(refusal({.evolution = {.mutation_prob = 1.5}}),
            begin + "evolution.mutation_prob must be in [0, 1], got 1.500000");
  EXPECT_EQ(refusal({.evolution = {.parent_ratio = 0.0}}),
            begin + "evolution.parent_ratio must be in (0, 1], got 0.000000");
  EXPECT_EQ(refusal({.evolution = {.mutation_ratio = NAN}}),
            begin + "evolution.mutation_ratio must be in [0, 1], got nan");
  EXPECT_EQ(refusal({.max_evaluations = -1}), begin + "max_evaluations must be >= 0, got -1");
  EXPECT_EQ(refusal({.budget_s = INFINITY}), begin + "budget_s must be >= 0, got inf");
  EXPECT_EQ(refusal({.candidates_per_target = 0}),
            begin + "candidates_per_target must be from 1 to 100000, got 0");
}

TEST_F(SearchTargetsTest, RefusesTargetsThatAreNone) {
  const auto refusal = [&](const std::vector<double>& targets_ms) {
    return text_thrown<std::invalid_argument>([&] { search({}, targets_ms); });
  };
  EXPECT_EQ(refusal({}), "[search::search_targets] targets_ms must not be empty");
  EXPECT_EQ(refusal({1.0, 0.0}), "[search::search_targets] targets_ms must be > 0, got 0.000000");
  EXPECT_EQ(refusal({NAN}), "[search::search_targets] targets_ms must be > 0, got nan");
  EXPECT_EQ(refusal({INFINITY}), "[search::search_targets] targets_ms must be > 0, got inf");
  EXPECT_EQ(refusal(std::vector<double>(100'001, 1.0)),
            "[search::search_targets] targets_ms must be at most 100000, got 100001");
}

/// An accuracy that changes from call to call, which no predictor may.
class RestlessAccuracy : public SyntheticAccuracy {
 public:
  using SyntheticAccuracy::SyntheticAccuracy;
  void predict(std::span<const space::Arch> archs, std::span<double> out) const override {
    SyntheticAccuracy::predict(archs, out);
    for (double& accuracy : out) {
      accuracy += 1e-6 * ++calls_;
    }
  }

 private:
  mutable int calls_ = 0;
};

TEST_F(SearchTargetsTest, AnAnswerThatTheModelsDontConfirmIsAnError) {
  const RestlessAccuracy restless(space_, 3);
  Rng rng(1);
  const std::string message = text_thrown<std::logic_error>([&] {
    search_targets(space_, latency_, restless, targets(),
                   {.strategy = Strategy::kVanilla, .evolution = {.generations = 3}}, rng);
  });
  EXPECT_NE(message.find("is said to have accuracy"), std::string::npos) << message;
}

}  // namespace
}  // namespace lathe::search
