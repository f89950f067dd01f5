#include "lathe/search/all_targets/exchange_search.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>
#include <unordered_set>

#include "core/temporary_folder.h"
#include "lathe/graph/counts.h"
#include "search/enumerated.h"

namespace lathe::search {
namespace {

using lathe::testing::AdditiveLatency;
using lathe::testing::ExplainedAccuracy;
using lathe::testing::SyntheticAccuracy;
using lathe::testing::SyntheticLatency;
using lathe::testing::text_thrown;

template <typename Accuracy>
using World = lathe::testing::Enumerated<AdditiveLatency, Accuracy>;

void run(ExchangeSearch& search, std::int64_t evaluations) {
  while (true) {
    const auto left = evaluations - static_cast<std::int64_t>(search.archive().all().size());
    if (left <= 0 || !search.step(left)) {
      return;
    }
  }
}

template <typename Accuracy>
void expect_optima(int stages, std::int64_t evaluations, int seeds) {
  for (int seed = 0; seed < seeds; ++seed) {
    const World<Accuracy> world(stages, static_cast<std::uint64_t>(seed));
    const Problem problem(world.space, world.latency, world.accuracy);
    const std::vector<double> targets = world.targets();
    ExchangeSearch search(problem, targets, {}, Rng(static_cast<std::uint64_t>(seed)));
    run(search, evaluations);
    for (std::size_t t = 0; t < targets.size(); ++t) {
      ASSERT_FALSE(search.ranking(t).empty());
      EXPECT_EQ(search.archive()[search.ranking(t).front()], world.best_within(targets[t], problem))
          << "seed " << seed << ", target " << targets[t];
    }
  }
}

TEST(ExchangeSearchTest, FindsTheBestNetForEveryTarget) {
  expect_optima<SyntheticAccuracy>(2, 400, 10);
  expect_optima<ExplainedAccuracy>(2, 400, 10);
}

TEST(ExchangeSearchTest, FindsTheBestOfSixteenThousandWithATenthOfThem) {
  expect_optima<ExplainedAccuracy>(3, 1600, 4);
}

TEST(ExchangeSearchTest, NetsAreWhatTheModelsSayAndNoneIsPredictedTwice) {
  const World<ExplainedAccuracy> world(3, 1);
  const Problem problem(world.space, world.latency, world.accuracy);
  ExchangeSearch search(problem, world.targets(), {}, Rng(1));
  run(search, 1000);
  EXPECT_EQ(search.archive().all().size(), 1000U);
  std::unordered_set<space::Arch> seen;
  for (const Candidate& net : search.archive().all()) {
    EXPECT_TRUE(seen.insert(net.arch).second);
    EXPECT_EQ(world.space.canonical(net.arch), net.arch);
    EXPECT_EQ(world.latency.predict_ms(net.arch), net.predicted_ms);
    EXPECT_EQ(world.accuracy.predict(net.arch), net.predicted_accuracy);
  }
  const std::vector<double> targets = world.targets();
  for (std::size_t t = 0; t < targets.size(); ++t) {
    for (const std::size_t index : search.ranking(t)) {
      EXPECT_LE(search.archive()[index].predicted_ms, targets[t]);
    }
  }
}

TEST(ExchangeSearchTest, KeepsTheOtherConstraints) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const World<ExplainedAccuracy> world(2, seed);
    const double largest =
        static_cast<double>(graph::macs(world.space.graph(world.space.largest())));
    const Problem problem(world.space, world.latency, world.accuracy, {.max_macs = 0.5 * largest});
    std::vector<double> targets = world.targets();
    std::erase_if(targets, [&](double t) { return t < problem.fastest()->predicted_ms; });
    ExchangeSearch search(problem, targets, {}, Rng(seed));
    run(search, 400);
    for (const Candidate& net : search.archive().all()) {
      EXPECT_LE(static_cast<double>(graph::macs(world.space.graph(net.arch))), 0.5 * largest);
    }
    for (std::size_t t = 0; t < targets.size(); ++t) {
      EXPECT_EQ(search.archive()[search.ranking(t).front()], world.best_within(targets[t], problem))
          << "seed " << seed << ", target " << targets[t];
    }
  }
}

TEST(ExchangeSearchTest, SameSeedSameArchiveAlsoBesideAnotherSearch) {
  const World<ExplainedAccuracy> world(3, 2);
  const Problem problem(world.space, world.latency, world.accuracy);
  const auto nets = [&](std::uint64_t seed) {
    ExchangeSearch search(problem, world.targets(), {}, Rng(seed));
    run(search, 700);
    return search.archive().all();
  };
  const std::vector<Candidate> alone = nets(7);
  std::vector<Candidate> one;
  std::vector<Candidate> two;
  std::thread other([&] { two = nets(7); });
  one = nets(7);
  other.join();
  EXPECT_EQ(one, alone);
  EXPECT_EQ(two, alone);
  EXPECT_NE(nets(8), alone);
}

TEST(ExchangeSearchTest, EndsWhenTheSpaceIsExhausted) {
  const World<SyntheticAccuracy> world(1, 3);  // 40 nets
  const Problem problem(world.space, world.latency, world.accuracy);
  ExchangeSearch search(problem, world.targets(), {}, Rng(1));
  run(search, 1000000);
  EXPECT_LE(search.archive().all().size(), 40U);
  EXPECT_GE(search.archive().all().size(), 30U);
}

TEST(ExchangeSearchTest, SaysWhereNetsComeFrom) {
  const World<ExplainedAccuracy> world(2, 3);
  const Problem problem(world.space, world.latency, world.accuracy);
  ExchangeSearch search(problem, world.targets(), {}, Rng(1));
  run(search, 100);
  EXPECT_EQ(search.provenance(0), "as the starting net, prediction 1");
  EXPECT_EQ(search.provenance(1), "by one exchange, prediction 2");
}

TEST(ExchangeSearchTest, RefusesWhatItCannotSearch) {
  const World<SyntheticAccuracy> world(1, 3);
  const Problem problem(world.space, world.latency, world.accuracy);
  const auto refused = [&](const Problem& what, std::vector<double> targets,
                           ExchangeOptions options = {}) {
    return text_thrown<std::invalid_argument>(
        [&] { ExchangeSearch(what, std::move(targets), options, Rng(1)); });
  };
  EXPECT_EQ(refused(problem, {}), "[search::ExchangeSearch] targets_ms must not be empty");
  EXPECT_EQ(refused(problem, {0.001}).substr(0, 70),
            "[search::ExchangeSearch] targets_ms must not be below the fastest net,");
  EXPECT_EQ(refused(problem, {10.0}, {.ranked = 0}),
            "[search::ExchangeSearch] ranked must be >= 1 and bins >= 2, got 0 and 512");
  const SyntheticLatency opaque(world.space, 1);
  const Problem no_sum(world.space, opaque, world.accuracy);
  EXPECT_EQ(refused(no_sum, {10.0}),
            "[search::ExchangeSearch] latency must be a sum over the slots of the space");
}

}  // namespace
}  // namespace lathe::search
