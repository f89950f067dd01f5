#include "lathe/search/chain/pareto_front.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/search/chain/lagrangian.h"
#include "lathe/space/slot_chain.h"
#include "space_fixtures/random_trellis.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::all_paths;
using lathe::testing::random_trellis;
using lathe::testing::text_thrown;
using space::Path;
using space::Trellis;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<FrontPoint> non_dominated(std::vector<FrontPoint> points) {
  std::ranges::sort(points, [](const FrontPoint& a, const FrontPoint& b) {
    return std::pair(a.latency, a.error) < std::pair(b.latency, b.error);
  });
  std::vector<FrontPoint> front;
  for (const FrontPoint& point : points) {
    if (front.empty() || point.error < front.back().error) {
      front.push_back(point);
    }
  }
  return front;
}

bool within(const Path& path, std::span<const LimitedCost> limits) {
  return std::ranges::all_of(limits, [&](const LimitedCost& limited) {
    return Trellis::total(path, limited.costs) <= limited.limit;
  });
}

// By all paths whose costs are finite and that are within the limits.
std::vector<FrontPoint> enumerated(const Trellis& trellis, std::span<const double> error,
                                   std::span<const double> latency,
                                   const ParetoOptions& options = {}) {
  std::vector<FrontPoint> points;
  for (const Path& path : all_paths(trellis)) {
    const FrontPoint point{.latency = Trellis::total(path, latency),
                           .error = Trellis::total(path, error)};
    if (std::isfinite(point.latency) && std::isfinite(point.error) &&
        within(path, options.limits)) {
      points.push_back(point);
    }
  }
  return non_dominated(points);
}

std::vector<FrontPoint> points_of(const ParetoFront& front) {
  return {front.points().begin(), front.points().end()};
}

void expect_paths_have_their_points(const ParetoFront& front, std::span<const double> error,
                                    std::span<const double> latency) {
  for (std::size_t i = 0; i < front.points().size(); ++i) {
    const Path path = front.path(i);
    EXPECT_EQ(Trellis::total(path, latency), front.points()[i].latency);
    EXPECT_EQ(Trellis::total(path, error), front.points()[i].error);
  }
}

TEST(ParetoFrontTest, EqualsEnumerationToTheLastBit) {
  Rng rng(1);
  for (int round = 0; round < 600; ++round) {
    const Trellis trellis = random_trellis(rng);
    const bool integers = round % 2 == 0;  // with many ties
    std::vector<double> error = integers ? lathe::testing::random_integer_costs(trellis, rng, 6)
                                         : lathe::testing::random_costs(trellis, rng, -1, 1);
    std::vector<double> latency = integers ? lathe::testing::random_integer_costs(trellis, rng, 6)
                                           : lathe::testing::random_costs(trellis, rng);
    if (round % 3 == 0) {
      const double holes[] = {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity};
      for (std::size_t t = 0; t < error.size(); ++t) {
        error[t] = rng.bernoulli(0.05) ? holes[rng.below(3)] : error[t];
        latency[t] = rng.bernoulli(0.05) ? holes[rng.below(3)] : latency[t];
      }
    }
    const ParetoFront front(trellis, error, latency);
    EXPECT_TRUE(front.exact());
    EXPECT_EQ(points_of(front), enumerated(trellis, error, latency)) << round;
    expect_paths_have_their_points(front, error, latency);
  }
}

TEST(ParetoFrontTest, OfASpaceWithSharedDecisions) {
  const lathe::testing::TinySpace space;
  const space::SlotChain chain(space);
  const auto archs = lathe::testing::all_archs(space);
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Rng rng(seed);
    const auto random = [&] {
      return space::SlotCosts(
          space, [&](const space::Block&) { return rng.uniform(); }, 0.5);
    };
    const space::SlotCosts error = random();
    const space::SlotCosts latency = random();
    std::vector<FrontPoint> points;
    for (const space::Arch& arch : archs) {
      points.push_back({.latency = latency.total(arch), .error = error.total(arch)});
    }
    const auto error_costs = chain.costs(error);
    const auto latency_costs = chain.costs(latency);
    const ParetoFront front(chain.trellis(), error_costs, latency_costs);
    EXPECT_EQ(points_of(front), non_dominated(points));
    for (std::size_t i = 0; i < front.points().size(); ++i) {
      EXPECT_EQ(latency.total(chain.arch(front.path(i))), front.points()[i].latency);
    }
  }
}

TEST(ParetoFrontTest, EveryLimitsAnswerIsTheOptimum) {
  Rng rng(2);
  for (int round = 0; round < 60; ++round) {
    const Trellis trellis = random_trellis(rng);
    const auto error = lathe::testing::random_costs(trellis, rng);
    const auto latency = lathe::testing::random_costs(trellis, rng, 0.1, 1);
    const auto expected = enumerated(trellis, error, latency);
    const ParetoFront front(trellis, error, latency);
    for (int i = 0; i < 199 && !expected.empty(); ++i) {
      // Over the whole range and beyond both ends; at the points themselves too.
      const double low = expected.front().latency - 0.1;
      const double limit = i % 4 == 0
                               ? expected[static_cast<std::size_t>(i) % expected.size()].latency
                               : low + (expected.back().latency + 0.1 - low) * i / 198;
      const auto found = front.best(limit);
      const auto dual = lagrangian_search(trellis, error, latency, limit);
      ASSERT_EQ(found.has_value(), limit >= expected.front().latency);
      ASSERT_EQ(found.has_value(), dual.has_value());
      if (found) {
        double optimum = kInfinity;
        for (const FrontPoint& p : expected) {
          optimum = p.latency <= limit ? std::min(optimum, p.error) : optimum;
        }
        EXPECT_EQ(found->error, optimum);
        EXPECT_EQ(found->gap(), 0.0);
        EXPECT_LE(found->latency, limit);
        EXPECT_EQ(Trellis::total(found->path, latency), found->latency);
        EXPECT_LE(dual->bound, found->error + 1e-12);
        EXPECT_GE(dual->error, found->error);
        EXPECT_LE(dual->latency, limit);
      }
    }
    EXPECT_FALSE(front.best(std::numeric_limits<double>::quiet_NaN()));
  }
}

TEST(ParetoFrontTest, AnotherGaugeLeavesTheFront) {
  Rng rng(3);
  for (int round = 0; round < 100; ++round) {
    const Trellis trellis = random_trellis(rng);
    const auto error = lathe::testing::random_integer_costs(trellis, rng, 9);
    const auto latency = lathe::testing::random_integer_costs(trellis, rng, 9);
    const auto other_error = lathe::testing::regauged(trellis, error, rng, 0.25);
    const auto other_latency = lathe::testing::regauged(trellis, latency, rng, 0.25);
    EXPECT_EQ(points_of({trellis, error, latency}),
              points_of({trellis, other_error, other_latency}));
  }
}

class ParetoLimitsTest : public ::testing::TestWithParam<std::size_t> {};

TEST_P(ParetoLimitsTest, AllAreKept) {
  Rng rng(4);
  int emptied = 0;
  for (int round = 0; round < 400; ++round) {
    const Trellis trellis = random_trellis(rng);
    const bool integers = round % 2 == 0;
    const auto random = [&] {
      return integers ? lathe::testing::random_integer_costs(trellis, rng, 6)
                      : lathe::testing::random_costs(trellis, rng);
    };
    auto error = random();
    const auto latency = random();
    if (round % 5 == 0 && trellis.num_transitions() > 0) {
      error[rng.below(trellis.num_transitions())] = std::numeric_limits<double>::quiet_NaN();
    }
    std::vector<std::vector<double>> limited(GetParam());
    std::ranges::generate(limited, random);
    for (const double share : {0.1, 0.3, 0.6, 2.0}) {
      ParetoOptions options;
      for (const std::vector<double>& costs : limited) {
        const double most = share * static_cast<double>(trellis.num_steps()) * (integers ? 5 : 1);
        options.limits.push_back({.costs = costs, .limit = std::floor(most + rng.uniform())});
      }
      const ParetoFront front(trellis, error, latency, options);
      const auto expected = enumerated(trellis, error, latency, options);
      EXPECT_EQ(points_of(front), expected) << round;
      emptied += expected.empty() ? 1 : 0;
      for (std::size_t i = 0; i < front.points().size(); ++i) {
        EXPECT_TRUE(within(front.path(i), options.limits));
      }
      expect_paths_have_their_points(front, error, latency);
    }
  }
  EXPECT_GT(emptied, 20);
}

INSTANTIATE_TEST_SUITE_P(ParetoFront, ParetoLimitsTest,
                         ::testing::Values(std::size_t{1}, std::size_t{2}));

/// 12 steps of 10 states: too many labels for the budgets below.
Trellis wide_trellis() {
  std::vector<std::uint32_t> sizes{1};
  sizes.insert(sizes.end(), 11, 10);
  sizes.push_back(1);
  std::vector<std::vector<space::Transition>> steps(12);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (std::uint32_t to = 0; to < sizes[s + 1]; ++to) {
      for (std::uint32_t from = 0; from < sizes[s]; ++from) {
        steps[s].push_back({.from = from, .to = to});
      }
    }
  }
  return {sizes, steps};
}

class LabelBudgetTest : public ::testing::TestWithParam<int> {};

TEST_P(LabelBudgetTest, BinsBracketTheFront) {
  const bool limited = GetParam() > 0;
  const Trellis trellis = wide_trellis();
  Rng rng(5);
  // The higher a state, the better and the slower: most trade-offs are worth something.
  auto error = lathe::testing::random_costs(trellis, rng);
  auto latency = lathe::testing::random_costs(trellis, rng);
  const auto macs = lathe::testing::random_costs(trellis, rng);
  const auto params = lathe::testing::random_costs(trellis, rng);
  for (std::size_t s = 0; s < trellis.num_steps(); ++s) {
    for (std::uint32_t t = trellis.first_transition(s); t < trellis.first_transition(s + 1); ++t) {
      const double width = 1 + trellis.transition(t).to - trellis.first_state(s + 1);
      error[t] += 3 / width;
      latency[t] += width;
    }
  }
  ParetoOptions options;
  for (const std::vector<double>* costs : {&macs, &params}) {
    if (std::cmp_less(options.limits.size(), GetParam())) {
      options.limits.push_back({.costs = *costs, .limit = 5.5});
    }
  }
  const ParetoFront exact(trellis, error, latency, options);
  ASSERT_TRUE(exact.exact());
  ASSERT_GT(exact.num_labels(), 5000U);
  double last_gap = kInfinity;
  for (const std::size_t budget : {std::size_t{1000}, std::size_t{3000}, exact.num_labels() - 1}) {
    options.max_labels = budget;
    const ParetoFront binned(trellis, error, latency, options);
    EXPECT_FALSE(binned.exact());
    expect_paths_have_their_points(binned, error, latency);
    double most_gap = 0;
    for (int i = 0; i <= 199; ++i) {
      const double limit =
          exact.points().front().latency +
          (exact.points().back().latency - exact.points().front().latency) * i / 199;
      const auto optimum = exact.best(limit);
      const auto found = binned.best(limit);
      ASSERT_TRUE(optimum);
      ASSERT_TRUE(found || limited) << "the fastest path is always known";
      if (found) {
        EXPECT_LE(found->latency, limit);
        EXPECT_LE(found->bound, optimum->error);
        EXPECT_GE(found->error, optimum->error);
        EXPECT_GE(found->gap(), 0.0);
        most_gap = std::max(most_gap, found->gap());
      }
      if (limited && found) {
        EXPECT_TRUE(within(found->path, options.limits));
      }
    }
    EXPECT_TRUE(limited || most_gap <= last_gap) << "more labels, closer bounds";
    last_gap = most_gap;
  }

  EXPECT_LT(last_gap, 1.0) << "one label too many, of errors between 4 and 45";
  options.max_labels = exact.num_labels();
  EXPECT_TRUE(ParetoFront(trellis, error, latency, options).exact());
}

INSTANTIATE_TEST_SUITE_P(Limits, LabelBudgetTest, ::testing::Values(0, 1, 2));

TEST(ParetoFrontTest, RefusesWhatItCantUse) {
  const Trellis trellis = wide_trellis();
  const std::vector<double> costs(trellis.num_transitions(), 1.0);
  const std::vector<double> few(3, 1.0);
  std::vector<double> negative = costs;
  negative.back() = -1;
  const auto refused = [&](std::span<const double> error, const ParetoOptions& options) {
    return text_thrown<std::invalid_argument>([&] { ParetoFront(trellis, error, costs, options); });
  };
  EXPECT_EQ(refused(few, {}), "[search::ParetoFront] error must have a number for each of the " +
                                  std::to_string(trellis.num_transitions()) +
                                  " transitions, got 3");
  EXPECT_EQ(refused(costs, {.limits = {{negative, 3}}}),
            "[search::ParetoFront] limited costs must be finite and >= 0");
  EXPECT_EQ(refused(costs, {.limits = {{costs, std::numeric_limits<double>::quiet_NaN()}}}),
            "[search::ParetoFront] limit must be a number, got nan");
  EXPECT_EQ(refused(costs, {.limits = {{costs, 3}, {costs, 3}, {costs, 3}}}),
            "[search::ParetoFront] limits must be at most 2, got 3");
  EXPECT_EQ(refused(costs, {.max_labels = 10}),
            "[search::ParetoFront] max_labels must be at least two for each of the 112 states, got "
            "10");
}

}  // namespace
}  // namespace lathe::search
