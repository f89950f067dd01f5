#include "lathe/search/chain/chain_targets.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/search/chain/greedy_shrink.h"
#include "lathe/search/chain/k_best.h"
#include "lathe/search/chain/lagrangian_within.h"
#include "lathe/search/chain/pareto_front.h"
#include "lathe/search/chain/uniform_widths.h"
#include "lathe/search/pareto.h"
#include "lathe/space/trellis.h"

namespace lathe::search {
namespace {

using space::kInfinity;

bool shrinks_widths(Strategy strategy) {
  return strategy == Strategy::kGreedy || strategy == Strategy::kUniform;
}

void check(const Problem& problem, Strategy strategy) {
  const auto refuse = [&](const std::string& what) {
    throw Error("strategy " + to_string(strategy) + " " + what);
  };
  if (shrinks_widths(strategy)) {
    if (!std::ranges::all_of(problem.space().decisions(),
                             [](const space::Decision& d) { return d.group == "widths"; })) {
      refuse("shrinks widths, and space " + problem.space().name() + " has other decisions");
    }
    return;
  }
  if (problem.chain() == nullptr) {
    refuse("needs a latency model that is a sum over blocks, such as a table, additive or ridge");
  }
  if (problem.accuracy().error_costs() == nullptr) {
    refuse("needs an accuracy model that is a sum over choices, such as width scores");
  }
}

std::string text_of(const char* format, double value) {
  char text[96];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

class ChainSearch {
 public:
  ChainSearch(const Problem& problem, std::span<const double> targets_ms,
              const SearchOptions& options)
      : problem_(problem), options_(options) {
    const double minimum_ms = problem.fastest() ? problem.fastest()->predicted_ms : kInfinity;
    for (const double target_ms : targets_ms) {
      result_.targets.push_back({.target_ms = target_ms, .minimum_ms = minimum_ms});
    }
  }

  SearchResult run() {
    if (shrinks_widths(options_.strategy)) {
      shrink();
    } else {
      latency_ms_ = problem_.transition_latency_ms();
      error_ = problem_.chain()->costs(*problem_.accuracy().error_costs());
      for (const auto& [costs, limit] : problem_.additive_constraints()) {
        limited_.push_back({.costs = problem_.chain()->costs(*costs), .limit = limit});
      }
      if (options_.strategy == Strategy::kLagrangian) {
        relax();
      } else {
        solve();
      }
    }
    if (options_.strategy != Strategy::kPareto) {
      result_.front = pareto_front(seen_);
    }
    result_.evaluations = static_cast<std::int64_t>(seen_.size());
    for (TargetResult& target : result_.targets) {
      target.evaluations = result_.evaluations;
    }
    return std::move(result_);
  }

 private:
  /// The nets with what the models say of them.
  std::vector<Candidate> evaluated(const std::vector<space::Arch>& archs) {
    std::vector<double> accuracies(archs.size());
    problem_.predict_accuracy(archs, accuracies);
    std::vector<Candidate> nets;
    for (std::size_t i = 0; i < archs.size(); ++i) {
      nets.push_back({.arch = archs[i],
                      .predicted_ms = problem_.latency_ms(archs[i]),
                      .predicted_accuracy = accuracies[i]});
    }
    seen_.insert(seen_.end(), nets.begin(), nets.end());
    return nets;
  }

  void answer(TargetResult& target, const std::vector<space::Arch>& archs, std::string provenance) {
    target.candidates = evaluated(archs);
    std::ranges::sort(target.candidates, better);
    target.feasible = true;
    target.provenance = std::move(provenance);
  }

  void solve() {
    ParetoOptions pareto;
    for (const Limited& limited : limited_) {
      pareto.limits.push_back({.costs = limited.costs, .limit = limited.limit});
    }
    const ParetoFront front(problem_.chain()->trellis(), error_, latency_ms_, pareto);
    for (TargetResult& target : result_.targets) {
      if (front.exact()) {
        target.minimum_ms = front.points().empty() ? kInfinity : front.points().front().latency;
      }
      const auto best = front.best(target.target_ms);
      if (!best) {
        continue;
      }
      target.error_bound = ErrorBound{.error = best->error, .bound = best->bound};
      answer(target, candidates(front, *best, target.target_ms),
             front.exact() ? "the optimum, from the front of " +
                                 std::to_string(front.points().size()) + " nets"
                           : text_of("within %.3g in error of the optimum", best->gap()));
    }
    if (options_.strategy == Strategy::kPareto) {
      std::vector<space::Arch> archs;
      for (std::size_t i = 0; i < front.points().size(); ++i) {
        archs.push_back(problem_.chain()->arch(front.path(i)));
      }
      result_.front = pareto_front(evaluated(archs));
    }
  }

  /// The answer and, of the nets near it in error, as many as are asked for.
  std::vector<space::Arch> candidates(const ParetoFront& front, const FrontAnswer& best,
                                      double target_ms) const {
    const space::SlotChain& chain = *problem_.chain();
    const auto wanted = static_cast<std::size_t>(options_.candidates_per_target);
    std::vector<std::pair<double, space::Arch>> near;
    if (wanted > 1) {
      auto at = static_cast<std::size_t>(
          std::ranges::lower_bound(front.points(), best.latency, {}, &FrontPoint::latency) -
          front.points().begin());
      for (; at > 0 && near.size() + 1 < wanted; --at) {
        near.emplace_back(front.points()[at - 1].error, chain.arch(front.path(at - 1)));
      }
      for (const space::BestPath& path : cheapest_at_price(target_ms, 4 * wanted)) {
        space::Arch arch = chain.arch(path.path);
        if (problem_.fits(arch, target_ms)) {
          near.emplace_back(space::Trellis::total(path.path, error_), std::move(arch));
        }
      }
    }
    std::ranges::stable_sort(near, {}, &std::pair<double, space::Arch>::first);
    std::vector<space::Arch> archs{chain.arch(best.path)};
    std::unordered_set<space::Arch> taken{archs.front()};
    for (auto& [error, arch] : near) {
      if (archs.size() < wanted && taken.insert(arch).second) {
        archs.push_back(std::move(arch));
      }
    }
    return archs;
  }

  /// The latency's limit comes first.
  std::vector<LimitedCost> limits(double target_ms) const {
    std::vector<LimitedCost> limits{{.costs = latency_ms_, .limit = target_ms}};
    for (const Limited& limited : limited_) {
      limits.push_back({.costs = limited.costs, .limit = limited.limit});
    }
    return limits;
  }

  std::vector<space::BestPath> cheapest_at_price(double target_ms, std::size_t count) const {
    const space::Trellis& trellis = problem_.chain()->trellis();
    const std::vector<LimitedCost> limited = limits(target_ms);
    const LagrangianWithin relaxed = lagrangian_within(trellis, error_, limited);
    std::vector<double> costs = error_;
    for (std::size_t i = 0; i < limited.size(); ++i) {
      for (std::size_t t = 0; t < costs.size(); ++t) {
        costs[t] += relaxed.prices[i] * limited[i].costs[t];
      }
    }
    return k_best(trellis, costs, count);
  }

  void relax() {
    for (TargetResult& target : result_.targets) {
      const LagrangianWithin found =
          lagrangian_within(problem_.chain()->trellis(), error_, limits(target.target_ms));
      if (found.path) {
        target.error_bound = ErrorBound{.error = found.error, .bound = found.bound};
        answer(target, {problem_.chain()->arch(*found.path)},
               text_of("at %.4g in error per ms", found.prices.front()) +
                   text_of(", within %.3g of the optimum", found.gap()));
      } else if (problem_.fastest() && problem_.fastest()->predicted_ms <= target.target_ms) {
        const space::Arch& arch = problem_.fastest()->arch;
        const double error = problem_.accuracy().error_costs()->total(arch);
        target.error_bound = ErrorBound{.error = error, .bound = found.bound};
        answer(target, {arch},
               text_of("the fastest net, for want of another; within %.3g of the optimum",
                       target.error_bound->gap()));
      }
    }
  }

  void shrink() {
    std::size_t open = result_.targets.size();  // targets below this number have no answer yet
    std::size_t nets = 0;
    const VisitNet visit = [&](const LayerChoices& choices) {
      ++nets;
      const space::Arch arch{std::vector<std::uint8_t>(choices.begin(), choices.end())};
      while (open > 0 && problem_.fits(arch, result_.targets[open - 1].target_ms)) {
        answer(result_.targets[--open], {arch},
               to_string(options_.strategy) + ", net " + std::to_string(nets) +
                   " from the widest down");
      }
      return open > 0;
    };
    if (options_.strategy == Strategy::kUniform) {
      std::vector<std::vector<double>> widths;
      for (const space::Decision& decision : problem_.space().decisions()) {
        widths.push_back(decision.values);
      }
      uniform_widths(widths, visit);
      return;
    }
    std::vector<std::uint32_t> sizes;
    for (const space::Decision& decision : problem_.space().decisions()) {
      sizes.push_back(static_cast<std::uint32_t>(decision.values.size()));
    }
    const ShrinkCosts costs = [&](const LayerChoices& choices,
                                  std::span<const std::size_t> layers) {
      std::vector<space::Arch> narrower;
      for (const std::size_t layer : layers) {
        narrower.push_back({std::vector<std::uint8_t>(choices.begin(), choices.end())});
        --narrower.back().choices[layer];
      }
      std::vector<double> hurt(narrower.size());
      problem_.predict_accuracy(narrower, hurt);
      for (double& accuracy : hurt) {
        accuracy = -accuracy;
      }
      return hurt;
    };
    greedy_shrink(sizes, costs, visit);
  }

  struct Limited {
    std::vector<double> costs;  // of each transition
    double limit = 0.0;
  };

  const Problem& problem_;
  const SearchOptions& options_;
  SearchResult result_;
  std::vector<double> latency_ms_;  // of each transition
  std::vector<double> error_;
  std::vector<Limited> limited_;  // besides latency
  std::vector<Candidate> seen_;
};

}  // namespace

bool solves_chains(Strategy strategy) {
  switch (strategy) {
    case Strategy::kOws:
    case Strategy::kPareto:
    case Strategy::kLagrangian:
    case Strategy::kGreedy:
    case Strategy::kUniform:
      return true;
    default:
      return false;
  }
}

SearchResult search_chain(const Problem& problem, std::span<const double> targets_ms,
                          const SearchOptions& options) {
  check(problem, options.strategy);
  return ChainSearch(problem, targets_ms, options).run();
}

}  // namespace lathe::search
