#include "lathe/search/all_targets/all_targets.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "lathe/search/all_targets/exchange_search.h"
#include "lathe/search/all_targets/shared_evolution.h"
#include "lathe/search/pareto.h"
#include "lathe/search/stopping_rule.h"

namespace lathe::search {
namespace {

struct EffortSize {
  std::int64_t evaluations;
  int ranked;  // nets kept for each limit: the more there is time for
};

// Some 50 ms, 0.4 s and 9 s with the published predictor (docs/multi_target.md).
EffortSize size_of(Effort effort) {
  switch (effort) {
    case Effort::kFast:
      return {.evaluations = 6'000, .ranked = 20};
    case Effort::kNormal:
      return {.evaluations = 50'000, .ranked = 20};
    case Effort::kThorough:
      return {.evaluations = 950'000, .ranked = 150};
  }
  return {};
}

void report(const ProgressFn& progress, std::int64_t done, std::int64_t total,
            double best_accuracy) {
  if (!progress) {
    return;
  }
  char message[64];
  std::snprintf(message, sizeof(message), "best accuracy %.4f", best_accuracy);
  progress({.stage = "search", .done = done, .total = total, .message = message});
}

/// Steps `engine` until it has done enough; its answers are those of the feasible targets, the
/// last ones of `result`.
template <typename Engine>
void run(Engine engine, std::size_t first_feasible, std::int64_t evaluations,
         const SearchOptions& options, const ProgressFn& progress, SearchResult& result) {
  const StoppingRule rule(evaluations, options.budget_s);
  const Archive& archive = engine.archive();
  const std::size_t feasible = result.targets.size() - first_feasible;
  const auto best = [&](std::size_t t) {
    const auto ranking = engine.ranking(t);
    return ranking.empty() ? 0.0 : archive[ranking.front()].predicted_accuracy;
  };
  bool more = true;
  for (std::int64_t done = 0; more; done = static_cast<std::int64_t>(archive.all().size())) {
    const std::int64_t left = rule.left(done);
    if (left == 0 && done > 0) {
      break;
    }
    more = engine.step(std::max<std::int64_t>(left, 1));
    GenerationTrace entry{.generation = static_cast<int>(result.trace.size()),
                          .evaluations = static_cast<std::int64_t>(archive.all().size()),
                          .best_accuracy = {},
                          .first_target = static_cast<int>(first_feasible)};
    for (std::size_t t = 0; t < feasible; ++t) {
      entry.best_accuracy.push_back(best(t));
    }
    report(progress, entry.evaluations, evaluations, entry.best_accuracy.back());
    result.trace.push_back(std::move(entry));
  }
  result.evaluations = static_cast<std::int64_t>(archive.all().size());
  result.front = pareto_front(archive.all());
  for (std::size_t t = 0; t < feasible; ++t) {
    TargetResult& target = result.targets[first_feasible + t];
    target.evaluations = result.evaluations;
    const auto ranking = engine.ranking(t);
    target.feasible = !ranking.empty();
    target.provenance = ranking.empty() ? "" : engine.provenance(ranking.front());
    for (const std::size_t index : ranking) {
      if (target.candidates.size() < static_cast<std::size_t>(options.candidates_per_target)) {
        target.candidates.push_back(archive[index]);
      }
    }
  }
}

}  // namespace

SearchResult search_all_at_once(const Problem& problem, std::span<const double> targets_ms,
                                const SearchOptions& options, std::uint64_t seed,
                                const ProgressFn& progress) {
  SearchResult result;
  const double fastest_ms =
      problem.fastest() ? problem.fastest()->predicted_ms : std::numeric_limits<double>::infinity();
  std::vector<double> feasible;
  for (const double target_ms : targets_ms) {
    result.targets.push_back({.target_ms = target_ms, .minimum_ms = fastest_ms});
    if (target_ms >= fastest_ms) {
      feasible.push_back(target_ms);
    }
  }
  if (feasible.empty()) {
    return result;
  }
  const std::size_t first_feasible = targets_ms.size() - feasible.size();
  const EffortSize size = size_of(options.effort);
  const std::int64_t evaluations =
      options.max_evaluations > 0 ? options.max_evaluations : size.evaluations;
  const int ranked = std::max(size.ranked, options.candidates_per_target);
  const Rng rng = Rng::derived(seed, {0x616c6c});
  if (problem.chain() != nullptr) {
    run(ExchangeSearch(problem, std::move(feasible), {.ranked = ranked}, rng), first_feasible,
        evaluations, options, progress, result);
  } else {
    run(SharedEvolution(problem, std::move(feasible), {.ranked = std::max(25, ranked)}, rng),
        first_feasible, evaluations, options, progress, result);
  }
  // A descent to the fastest net may have stopped short of what the search came across.
  for (TargetResult& target : result.targets) {
    target.minimum_ms = std::min(target.minimum_ms, result.front.front().predicted_ms);
  }
  return result;
}

}  // namespace lathe::search
