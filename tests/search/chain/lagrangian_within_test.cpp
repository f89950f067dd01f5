#include "lathe/search/chain/lagrangian_within.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/search/chain/lagrangian.h"
#include "lathe/space/min_sum.h"
#include "space_fixtures/random_trellis.h"

namespace lathe::search {
namespace {

using lathe::testing::all_paths;
using lathe::testing::random_costs;
using lathe::testing::random_trellis;
using lathe::testing::text_thrown;
using space::Path;
using space::Trellis;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A path's error, and by how much it exceeds each limit.
using Point = std::vector<double>;

std::vector<Point> points_of(const Trellis& trellis, std::span<const double> error,
                             std::span<const LimitedCost> limits) {
  std::vector<Point> points;
  for (const Path& path : all_paths(trellis)) {
    Point point{Trellis::total(path, error)};
    for (const LimitedCost& limited : limits) {
      point.push_back(Trellis::total(path, limited.costs) - limited.limit);
    }
    if (std::ranges::all_of(point, [](double x) { return std::isfinite(x); })) {
      points.push_back(point);
    }
  }
  return points;
}

double optimum_of(const std::vector<Point>& points) {
  double least = kInfinity;
  for (const Point& p : points) {
    if (std::all_of(p.begin() + 1, p.end(), [](double excess) { return excess <= 0; })) {
      least = std::min(least, p.front());
    }
  }
  return least;
}

/// By Gaussian elimination; empty if there is none, or not a single one.
std::vector<double> solution(std::vector<std::vector<double>> rows) {
  const std::size_t n = rows.size();
  for (std::size_t i = 0; i < n; ++i) {
    const auto pivot =
        std::ranges::max_element(rows.begin() + static_cast<std::ptrdiff_t>(i), rows.end(), {},
                                 [i](const std::vector<double>& row) { return std::abs(row[i]); });
    std::iter_swap(rows.begin() + static_cast<std::ptrdiff_t>(i), pivot);
    if (std::abs(rows[i][i]) < 1e-12) {
      return {};
    }
    for (std::size_t j = 0; j < n; ++j) {
      const double factor = j == i ? 0.0 : rows[j][i] / rows[i][i];
      for (std::size_t k = i; k <= n; ++k) {
        rows[j][k] -= factor * rows[i][k];
      }
    }
  }
  std::vector<double> x;
  for (std::size_t i = 0; i < n; ++i) {
    x.push_back(rows[i][n] / rows[i][i]);
  }
  return x;
}

/// max over prices >= 0 of min over paths of error + prices . excess, a linear program whose
/// maximum is at a vertex: where as many paths are equal, or prices 0, as make the prices unique.
double enumerated_dual(const std::vector<Point>& points) {
  const std::size_t n = points.front().size() - 1;  // prices; their value is one more unknown
  double most = -kInfinity;
  std::vector<std::vector<double>> rows;
  const std::function<void(std::size_t)> choose = [&](std::size_t next) {
    if (rows.size() == n + 1) {
      const std::vector<double> x = solution(rows);
      if (x.empty() || std::any_of(x.begin(), x.end() - 1, [](double p) { return p < -1e-12; })) {
        return;
      }
      double least = kInfinity;
      for (const Point& p : points) {
        double value = p.front();
        for (std::size_t k = 0; k < n; ++k) {
          value += std::max(x[k], 0.0) * p[k + 1];
        }
        least = std::min(least, value);
      }
      most = std::max(most, least);
      return;
    }
    for (; next < n + points.size(); ++next) {
      std::vector<double> row(n + 2, 0.0);
      if (next < n) {
        row[next] = 1;  // this price is 0
      } else {
        const Point& p = points[next - n];  // value - prices . excess = error
        std::transform(p.begin() + 1, p.end(), row.begin(), std::negate());
        row[n] = 1;
        row[n + 1] = p.front();
      }
      rows.push_back(row);
      choose(next + 1);
      rows.pop_back();
    }
  };
  choose(0);
  return most;
}

struct Tables {
  std::vector<double> error;
  std::vector<std::vector<double>> costs;
};

Tables random_tables(const Trellis& trellis, Rng& rng, std::size_t count, bool integers) {
  const auto random = [&] {
    return integers ? lathe::testing::random_integer_costs(trellis, rng, 6)
                    : random_costs(trellis, rng);
  };
  Tables tables{.error = random(), .costs = {}};
  while (tables.costs.size() < count) {
    tables.costs.push_back(random());
  }
  return tables;
}

/// At some path's total or a little away from it, so that all limits together leave few paths.
std::vector<LimitedCost> random_limits(const Trellis& trellis, const Tables& tables, Rng& rng) {
  const std::vector<Path> paths = all_paths(trellis);
  std::vector<LimitedCost> limits;
  for (const std::vector<double>& costs : tables.costs) {
    const Path& path = paths[rng.below(static_cast<std::uint32_t>(paths.size()))];
    const double total = Trellis::total(path, costs);
    limits.push_back({costs, rng.bernoulli(0.5) ? total : total + 0.4 * rng.uniform() - 0.2});
  }
  return limits;
}

class NearPathsTest : public ::testing::TestWithParam<std::size_t> {};

TEST_P(NearPathsTest, AnswersKeepAllLimitsBetweenBoundAndEnumeration) {
  Rng rng(1);
  int none = 0;
  int missed = 0;
  int above = 0;
  int exact = 0;
  for (int round = 0; round < 600; ++round) {
    const Trellis trellis = random_trellis(rng);
    if (all_paths(trellis).empty()) {
      continue;
    }
    Tables tables = random_tables(trellis, rng, 2 + rng.below(2), round % 3 == 0);
    const std::vector<LimitedCost> limits = random_limits(trellis, tables, rng);
    if (round % 4 == 1) {
      tables.costs[1][rng.below(trellis.num_transitions())] = kInfinity;
    }
    const double optimum = optimum_of(points_of(trellis, tables.error, limits));
    const LagrangianWithin found =
        lagrangian_within(trellis, tables.error, limits, {.near_paths = GetParam()});
    EXPECT_LE(found.bound, optimum + 1e-9) << round;
    EXPECT_EQ(found.path.has_value(), std::isfinite(found.error));
    ASSERT_EQ(found.prices.size(), limits.size());
    if (!found.path) {
      (std::isfinite(optimum) ? missed : none) += 1;
      continue;
    }
    for (const LimitedCost& limited : limits) {
      EXPECT_LE(Trellis::total(*found.path, limited.costs), limited.limit) << round;
    }
    EXPECT_EQ(found.error, Trellis::total(*found.path, tables.error));
    EXPECT_GE(found.error, optimum);
    (found.error > optimum ? above : exact) += 1;
  }
  EXPECT_GT(none, 50);
  EXPECT_GT(exact, 100);
  // No trellis here has more than 1,024 paths.
  EXPECT_EQ(missed > 0, GetParam() < 1000) << missed;
  EXPECT_EQ(above > 0, GetParam() < 1000) << above;
}

INSTANTIATE_TEST_SUITE_P(LagrangianWithin, NearPathsTest,
                         ::testing::Values(std::size_t{0}, std::size_t{10}, std::size_t{1000}));

TEST(LagrangianWithinTest, TheBoundIsTheHighestDual) {
  Rng rng(2);
  int compared = 0;
  for (int round = 0; round < 600; ++round) {
    const Trellis trellis = random_trellis(rng);
    const Tables tables = random_tables(trellis, rng, 2 + round % 2, round % 3 == 0);
    if (all_paths(trellis).empty() || all_paths(trellis).size() > (round % 2 == 0 ? 40 : 16)) {
      continue;
    }
    const std::vector<LimitedCost> limits = random_limits(trellis, tables, rng);
    const std::vector<Point> points = points_of(trellis, tables.error, limits);
    const LagrangianWithin found = lagrangian_within(trellis, tables.error, limits);
    if (!std::isfinite(found.bound)) {
      EXPECT_FALSE(std::isfinite(optimum_of(points))) << round;
      continue;
    }
    EXPECT_NEAR(found.bound, enumerated_dual(points), 1e-9) << round;
    double at_prices = kInfinity;
    for (const Point& p : points) {
      double value = p.front();
      for (std::size_t k = 0; k < limits.size(); ++k) {
        EXPECT_GE(found.prices[k], 0.0);
        value += found.prices[k] * p[k + 1];
      }
      at_prices = std::min(at_prices, value);
    }
    EXPECT_NEAR(found.bound, at_prices, 1e-9) << "the dual at the prices that are told";
    ++compared;
  }
  EXPECT_GT(compared, 100);
}

TEST(LagrangianWithinTest, OneLimitIsLagrangianSearch) {
  Rng rng(3);
  for (int round = 0; round < 300; ++round) {
    const Trellis trellis = random_trellis(rng);
    if (all_paths(trellis).empty()) {
      continue;
    }
    const Tables tables = random_tables(trellis, rng, 2, round % 2 == 0);
    std::vector<LimitedCost> limits = random_limits(trellis, tables, rng);
    const auto expected =
        lagrangian_search(trellis, tables.error, limits[0].costs, limits[0].limit);
    const auto one = lagrangian_within(trellis, tables.error, std::span(limits).first(1));
    limits[1].limit = kInfinity;
    const auto second_is_free = lagrangian_within(trellis, tables.error, limits);
    ASSERT_EQ(one.path.has_value(), expected.has_value());
    ASSERT_EQ(second_is_free.path.has_value(), expected.has_value());
    if (!expected) {
      EXPECT_EQ(one.bound, kInfinity);
      continue;
    }
    EXPECT_EQ(*one.path, expected->path);
    EXPECT_EQ(one.error, expected->error);
    EXPECT_EQ(one.bound, expected->bound);
    EXPECT_EQ(one.prices, std::vector{expected->price});
    EXPECT_NEAR(second_is_free.bound, expected->bound, 1e-9);
    EXPECT_LE(second_is_free.error, expected->error);
    EXPECT_EQ(second_is_free.prices[1], 0.0);
  }
}

TEST(LagrangianWithinTest, NoLimitIsTheBestPath) {
  Rng rng(4);
  const Trellis trellis = lathe::testing::random_trellis(rng);
  const std::vector<double> error = random_costs(trellis, rng);
  const LagrangianWithin found = lagrangian_within(trellis, error, {});
  ASSERT_TRUE(found.path);
  EXPECT_EQ(*found.path, space::min_sum(trellis, error)->path);
  EXPECT_EQ(found.gap(), 0.0);
  EXPECT_EQ(found.solved, 1);
}

/// Both limits together leave the mean of two paths, but neither of them.
TEST(LagrangianWithinTest, NothingMayComeWhereNoPathButAMeanIsWithin) {
  const Trellis trellis(std::vector<std::uint32_t>{1, 1},
                        std::vector<std::vector<space::Transition>>{{{0, 0}, {0, 0}}});
  const std::vector<double> error{1, 3};
  const std::vector<double> macs{0, 4};
  const std::vector<double> params{4, 0};
  const LimitedCost limits[] = {{macs, 2}, {params, 2}};
  const LagrangianWithin found = lagrangian_within(trellis, error, limits);
  EXPECT_FALSE(found.path);
  EXPECT_EQ(found.error, kInfinity);
  EXPECT_NEAR(found.bound, 2.0, 1e-9) << "of the mean";
  const LimitedCost lower[] = {{macs, 1}, {params, 2}};
  EXPECT_EQ(lagrangian_within(trellis, error, lower).bound, kInfinity) << "not even a mean";
}

TEST(LagrangianWithinTest, RefusesWhatItCantUse) {
  Rng rng(5);
  const Trellis trellis = random_trellis(rng);
  const std::vector<double> costs(trellis.num_transitions(), 1.0);
  const std::vector<double> few(1, 1.0);
  const auto refused = [&](const std::vector<double>& of, double limit) {
    const LimitedCost limits[] = {{costs, 3}, {of, limit}};
    return text_thrown<std::invalid_argument>([&] { lagrangian_within(trellis, costs, limits); });
  };
  EXPECT_EQ(refused(costs, std::numeric_limits<double>::quiet_NaN()),
            "[search::lagrangian_within] limit must be a number, got nan");
  EXPECT_EQ(refused(few, 3),
            "[search::lagrangian_within] limited costs must have a number for each of the " +
                std::to_string(trellis.num_transitions()) + " transitions, got 1");
}

}  // namespace
}  // namespace lathe::search
