#include "lathe/search/chain/lagrangian_within.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/search/chain/k_best.h"
#include "lathe/search/chain/lagrangian.h"
#include "lathe/space/min_sum.h"

namespace lathe::search {
namespace {

using space::kInfinity;
constexpr int kMostRounds = 64;                       // of one price: some ten are usual
constexpr std::size_t kMostNearStates = 100'000'000;  // what k_best() takes

/// Of a path or a mean of paths: its error, then its total of each limited cost. Weights and prices
/// are in the same order.
using Totals = std::vector<double>;

double weighted(const Totals& weights, const Totals& totals) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sum += weights[i] * totals[i];
  }
  return sum;
}

class Relaxation {
 public:
  Relaxation(const space::Trellis& trellis, std::span<const double> error,
             std::span<const LimitedCost> limits, const LagrangianOptions& options)
      : trellis_(trellis),
        near_paths_(options.near_paths),
        costs_{error},
        limits_{kInfinity},
        priced_(error.size()) {
    for (const LimitedCost& limited : limits) {
      costs_.push_back(limited.costs);
      limits_.push_back(limited.limit);
    }
    for (const std::span<const double> costs : costs_) {
      rounding_.push_back(rounding_of(trellis, costs));
    }
    answer_.error = kInfinity;
    answer_.bound = -kInfinity;
  }

  LagrangianWithin run() {
    Totals error_alone(costs_.size(), 0.0);
    error_alone.front() = 1;
    if (!minimum(error_alone, 1)) {
      answer_.bound = kInfinity;  // no mean of paths is within the limits
    } else if (answer_.error > answer_.bound) {
      price(best_weights_);
      const std::size_t near = std::min(near_paths_, kMostNearStates / trellis_.num_states());
      for (space::BestPath& path : k_best(trellis_, priced_, near)) {
        keep_if_best(std::move(path.path));
      }
    }
    answer_.bound = answer_.path ? std::min(answer_.bound, answer_.error) : answer_.bound;
    answer_.prices.assign(costs_.size() - 1, 0.0);
    if (!best_weights_.empty()) {
      answer_.prices.assign(best_weights_.begin() + 1, best_weights_.end());
    }
    return std::move(answer_);
  }

 private:
  /// Of all means of paths that keep the limits from number `first` on, the totals of one with the
  /// least weighted sum. Nothing if none keeps them, which doesn't depend on the weights.
  std::optional<Totals> minimum(const Totals& weights, std::size_t first) {
    if (first == costs_.size()) {
      return shortest(weights);
    }
    const double limit = limits_[first] + rounding_[first];
    std::optional<Totals> beyond = minimum(weights, first + 1);
    if (!beyond || (*beyond)[first] <= limit) {
      return beyond;
    }
    Totals this_alone(costs_.size(), 0.0);
    this_alone[first] = 1;
    std::optional<Totals> within = minimum(this_alone, first + 1);
    if (!within || (*within)[first] > limit) {
      return std::nullopt;
    }
    // As in lagrangian_search(); what the rounds leave open makes the bound no less true.
    for (int round = 0; round < kMostRounds; ++round) {
      Totals priced = weights;
      priced[first] = (weighted(weights, *within) - weighted(weights, *beyond)) /
                      ((*beyond)[first] - (*within)[first]);
      if (!(priced[first] > 0) || !std::isfinite(priced[first])) {
        break;
      }
      std::optional<Totals> below = minimum(priced, first + 1);
      if (!below ||
          !(weighted(priced, *below) < weighted(priced, *within) - weighted(priced, rounding_))) {
        break;
      }
      ((*below)[first] > limit ? beyond : within) = std::move(below);
    }
    return between(*within, *beyond, first);
  }

  /// The mean of both that is at the limit.
  Totals between(Totals within, const Totals& beyond, std::size_t of) const {
    const double share =
        std::clamp((limits_[of] - within[of]) / (beyond[of] - within[of]), 0.0, 1.0);
    for (std::size_t i = 0; i < within.size(); ++i) {
      within[i] += share * (beyond[i] - within[i]);
    }
    return within;
  }

  std::optional<Totals> shortest(const Totals& weights) {
    ++answer_.solved;
    price(weights);
    std::optional<space::BestPath> found = space::min_sum(trellis_, priced_);
    if (!found) {
      return std::nullopt;
    }
    Totals totals = totals_of(found->path);
    if (weights.front() == 1) {
      double dual = weighted(weights, totals);
      for (std::size_t i = 1; i < weights.size(); ++i) {
        dual -= weights[i] > 0 ? weights[i] * limits_[i] : 0.0;
      }
      // At enormous prices the rounding of what is priced would exceed the bound.
      const double certain = dual - weighted(weights, rounding_);
      if (best_weights_.empty() || certain > certain_) {
        certain_ = certain;
        answer_.bound = dual;
        best_weights_ = weights;
      }
    }
    keep_if_best(std::move(found->path));
    return totals;
  }

  void price(const Totals& weights) {
    for (std::size_t t = 0; t < priced_.size(); ++t) {
      priced_[t] = 0;
      for (std::size_t i = 0; i < weights.size(); ++i) {
        // A weight of 0 keeps what can't be taken from being taken: 0 x infinity is NaN.
        priced_[t] += weights[i] * costs_[i][t];
      }
    }
  }

  Totals totals_of(const space::Path& path) const {
    Totals totals;
    for (const std::span<const double> costs : costs_) {
      totals.push_back(space::Trellis::total(path, costs));
    }
    return totals;
  }

  void keep_if_best(space::Path path) {
    const Totals totals = totals_of(path);
    bool fits = true;
    for (std::size_t i = 1; i < totals.size(); ++i) {
      fits = fits && totals[i] <= limits_[i];
    }
    if (fits && totals.front() < answer_.error) {
      answer_.error = totals.front();
      answer_.path = std::move(path);
    }
  }

  const space::Trellis& trellis_;
  std::size_t near_paths_;
  std::vector<std::span<const double>> costs_;
  Totals limits_;  // none of the error
  Totals rounding_;
  std::vector<double> priced_;  // of each transition
  Totals best_weights_;         // of the highest dual that is certain
  double certain_ = 0.0;
  LagrangianWithin answer_;
};

LagrangianWithin of_one_limit(const space::Trellis& trellis, std::span<const double> error,
                              const LimitedCost& limited) {
  auto found = lagrangian_search(trellis, error, limited.costs, limited.limit);
  if (!found) {
    return {.path = {}, .error = kInfinity, .prices = {0.0}, .bound = kInfinity, .solved = 2};
  }
  return {.path = std::move(found->path),
          .error = found->error,
          .prices = {found->price},
          .bound = found->bound,
          .solved = found->solved};
}

}  // namespace

LagrangianWithin lagrangian_within(const space::Trellis& trellis, std::span<const double> error,
                                   std::span<const LimitedCost> limits,
                                   const LagrangianOptions& options) {
  constexpr const char* kFunction = "search::lagrangian_within";
  trellis.require_one_each(error.size(), kFunction, "error");
  for (const LimitedCost& limited : limits) {
    trellis.require_one_each(limited.costs.size(), kFunction, "limited costs");
    if (std::isnan(limited.limit)) {
      throw std::invalid_argument("[search::lagrangian_within] limit must be a number, got nan");
    }
  }
  return limits.size() == 1 ? of_one_limit(trellis, error, limits.front())
                            : Relaxation(trellis, error, limits, options).run();
}

}  // namespace lathe::search
