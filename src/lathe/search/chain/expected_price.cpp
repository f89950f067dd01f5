#include "lathe/search/chain/expected_price.h"

#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/search/chain/forward_backward.h"

namespace lathe::search {
namespace {

constexpr double kTolerance = 1e-4;
constexpr int kMostDoublings = 200;
constexpr int kMostHalvings = 100;

std::vector<double> weighted(std::span<const double> errors, std::span<const double> costs,
                             double price, double temperature) {
  std::vector<double> energies(errors.size());
  for (std::size_t t = 0; t < energies.size(); ++t) {
    energies[t] = (errors[t] + price * costs[t]) / temperature;
  }
  return energies;
}

/// The price at which `cost_at`, which falls with the price, comes down to the limit; steps of it
/// are passed from above.
ExpectedPrice solve(const std::function<double(double)>& cost_at, double limit, double guess) {
  const double most = limit * (1 + kTolerance);
  const double least = limit * (1 - kTolerance);
  ExpectedPrice high{.price = 0, .expected_cost = cost_at(0)};
  if (high.expected_cost <= most) {
    return high;
  }
  double low = 0;
  high.price = guess;
  for (int i = 0; high.expected_cost > most; ++i) {
    if (i == kMostDoublings) {
      throw std::invalid_argument("[search::price_for_expected_cost] limit " +
                                  std::to_string(limit) + " is under the least cost of a path");
    }
    low = i > 0 ? high.price : 0;
    high.price *= i > 0 ? 2 : 1;
    high.expected_cost = cost_at(high.price);
  }
  for (int i = 0; i < kMostHalvings && high.expected_cost < least; ++i) {
    const double middle = 0.5 * (low + high.price);
    const double cost = cost_at(middle);
    if (cost > most) {
      low = middle;
    } else {
      high = {.price = middle, .expected_cost = cost};
    }
  }
  return high;
}

void require(std::span<const double> errors, std::span<const double> costs,
             const space::Trellis& trellis, double limit) {
  trellis.require_one_each(errors.size(), "search::price_for_expected_cost", "errors");
  trellis.require_one_each(costs.size(), "search::price_for_expected_cost", "costs");
  if (!(limit > 0) || !std::isfinite(limit)) {
    throw std::invalid_argument("[search::price_for_expected_cost] limit must be > 0, got " +
                                std::to_string(limit));
  }
}

}  // namespace

ExpectedPrice price_for_expected_cost(const space::Trellis& trellis, std::span<const double> errors,
                                      std::span<const double> costs, double temperature,
                                      double limit, double guess) {
  require(errors, costs, trellis, limit);
  if (!(temperature > 0) || !std::isfinite(temperature)) {
    throw std::invalid_argument("[search::price_for_expected_cost] temperature must be > 0, got " +
                                std::to_string(temperature));
  }
  const auto expected = [&](double price) {
    return ForwardBackward(trellis, weighted(errors, costs, price, temperature))
        .expected_total(costs);
  };
  return solve(expected, limit, guess > 0 ? guess : temperature / limit);
}

}  // namespace lathe::search
