#include "lathe/search/chain/lagrangian.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "space_fixtures/random_trellis.h"

namespace lathe::search {
namespace {

using lathe::testing::all_paths;
using lathe::testing::random_trellis;
using space::Path;
using space::Trellis;

struct Point {
  double latency = 0.0;
  double error = 0.0;
};

std::vector<Point> points_of(const Trellis& trellis, std::span<const double> error,
                             std::span<const double> latency) {
  std::vector<Point> points;
  for (const Path& path : all_paths(trellis)) {
    const Point point{.latency = Trellis::total(path, latency),
                      .error = Trellis::total(path, error)};
    if (std::isfinite(point.latency) && std::isfinite(point.error)) {
      points.push_back(point);
    }
  }
  return points;
}

// max over prices of min over paths of error + price * (latency - limit): the dual is concave and
// its corners are where two paths are equal.
double enumerated_dual(const std::vector<Point>& points, double limit) {
  const auto value = [&](double price) {
    double least = std::numeric_limits<double>::infinity();
    for (const Point& p : points) {
      least = std::min(least, p.error + price * (p.latency - limit));
    }
    return least;
  };
  double most = value(0);
  for (const Point& a : points) {
    for (const Point& b : points) {
      if (a.latency > b.latency && b.error > a.error) {
        most = std::max(most, value((b.error - a.error) / (a.latency - b.latency)));
      }
    }
  }
  return most;
}

TEST(LagrangianTest, BoundIsTheDualAndTheAnswerFits) {
  Rng rng(1);
  int beyond = 0;
  int gaps = 0;
  for (int round = 0; round < 300; ++round) {
    const Trellis trellis = random_trellis(rng);
    std::vector<double> error = lathe::testing::random_costs(trellis, rng);
    const std::vector<double> latency = lathe::testing::random_costs(trellis, rng, 0.1, 1);
    if (round % 4 == 0) {
      error[rng.below(trellis.num_transitions())] = std::numeric_limits<double>::quiet_NaN();
    }
    std::vector<Point> points = points_of(trellis, error, latency);
    if (points.empty() || points.size() > 200) {
      continue;
    }
    std::ranges::sort(points, {}, &Point::latency);
    for (int i = 0; i < 8; ++i) {
      const double limit = points.front().latency - 0.05 +
                           (points.back().latency - points.front().latency + 0.1) * rng.uniform();
      const auto found = lagrangian_search(trellis, error, latency, limit);
      if (limit < points.front().latency) {
        EXPECT_FALSE(found);
        ++beyond;
        continue;
      }
      ASSERT_TRUE(found);
      EXPECT_LE(found->latency, limit);
      EXPECT_EQ(found->latency, Trellis::total(found->path, latency));
      EXPECT_EQ(found->error, Trellis::total(found->path, error));
      double optimum = std::numeric_limits<double>::infinity();
      for (const Point& p : points) {
        optimum = p.latency <= limit ? std::min(optimum, p.error) : optimum;
      }
      EXPECT_NEAR(found->bound, enumerated_dual(points, limit), 1e-9);
      EXPECT_LE(found->bound, optimum + 1e-12);
      EXPECT_GE(found->error, optimum);
      EXPECT_LT(found->solved, 60);
      gaps += found->error > optimum + 1e-12 ? 1 : 0;
    }
  }
  EXPECT_GT(beyond, 20);
  EXPECT_GT(gaps, 20) << "the optimum is not always on the hull";
}

TEST(LagrangianTest, ALimitThatDoesNotBindCostsNothing) {
  Rng rng(2);
  const Trellis trellis = random_trellis(rng);
  const std::vector<double> costs = lathe::testing::random_costs(trellis, rng);
  const auto found = lagrangian_search(trellis, costs, costs, 1e9);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->price, 0.0);
  EXPECT_EQ(found->gap(), 0.0);
  EXPECT_EQ(found->solved, 1);
}

TEST(LagrangianTest, AnotherGaugeOrUnitLeavesTheAnswer) {
  Rng rng(3);
  for (int round = 0; round < 100; ++round) {
    const Trellis trellis = random_trellis(rng);
    const std::vector<double> error = lathe::testing::random_costs(trellis, rng);
    std::vector<double> latency = lathe::testing::random_costs(trellis, rng, 0.1, 1);
    const double limit = 0.5 * static_cast<double>(trellis.num_steps());
    const auto here = lagrangian_search(trellis, error, latency, limit);
    const auto there = lagrangian_search(trellis, lathe::testing::regauged(trellis, error, rng),
                                         lathe::testing::regauged(trellis, latency, rng), limit);
    for (double& ms : latency) {
      ms *= 1024 * 1024;
    }
    const auto elsewhere = lagrangian_search(trellis, error, latency, limit * 1024 * 1024);
    ASSERT_EQ(here.has_value(), there.has_value());
    ASSERT_EQ(here.has_value(), elsewhere.has_value());
    if (here) {
      EXPECT_EQ(here->path, there->path);
      EXPECT_NEAR(here->bound, there->bound, 1e-9);
      EXPECT_EQ(here->path, elsewhere->path);
    }
  }
}

TEST(LagrangianTest, RefusesNoNumberAsLimit) {
  Rng rng(4);
  const Trellis trellis = random_trellis(rng);
  const std::vector<double> costs(trellis.num_transitions(), 1.0);
  EXPECT_EQ(lathe::testing::text_thrown<std::invalid_argument>([&] {
              lagrangian_search(trellis, costs, costs, std::numeric_limits<double>::quiet_NaN());
            }),
            "[search::lagrangian_search] limit must be a number, got nan");
}

}  // namespace
}  // namespace lathe::search
