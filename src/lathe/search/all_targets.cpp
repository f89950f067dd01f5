#include "lathe/search/all_targets.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <utility>

#include "lathe/search/archive.h"
#include "lathe/search/pareto.h"
#include "lathe/search/reachable_range.h"

namespace lathe::search {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("[search::search_all_targets] " + what);
}

void require_at_least(const char* name, std::int64_t value, std::int64_t least) {
  if (value < least) {
    refuse(std::string(name) + " must be >= " + std::to_string(least) + ", got " +
           std::to_string(value));
  }
}

void require_probability(const char* name, double value) {
  if (!(value >= 0 && value <= 1)) {
    refuse(std::string(name) + " must be in [0, 1], got " + std::to_string(value));
  }
}

void check(const AllTargetsOptions& options) {
  require_at_least("population", options.population, 1);
  require_at_least("generations", options.generations, 0);
  require_at_least("parents", options.parents, 1);
  require_at_least("candidates_per_target", options.candidates_per_target, 1);
  require_at_least("max_evaluations", options.max_evaluations, 0);
  require_at_least("breed.tries", options.breed.tries, 1);
  require_probability("breed.mutation_rate", options.breed.mutation_rate);
  require_probability("breed.mutated_share", options.breed.mutated_share);
}

std::vector<double> checked_targets(std::span<const double> targets_ms) {
  if (targets_ms.empty()) {
    refuse("targets_ms must not be empty");
  }
  for (const double target_ms : targets_ms) {
    if (!std::isfinite(target_ms) || target_ms <= 0) {
      refuse("targets_ms must be > 0, got " + std::to_string(target_ms));
    }
  }
  std::vector<double> sorted(targets_ms.begin(), targets_ms.end());
  std::ranges::sort(sorted);
  const auto rest = std::ranges::unique(sorted);
  sorted.erase(rest.begin(), rest.end());
  return sorted;
}

void require_same_space(const char* what, const std::string& got, const std::string& expected) {
  if (got != expected) {
    refuse(std::string(what) + " must be of space " + expected + ", got one of " + got);
  }
}

// One search; its members are the state between generations.
class Evolution {
 public:
  Evolution(const space::Space& space, const latency::LatencyModel& latency,
            const accuracy::AccuracyPredictor& accuracy, std::vector<double> targets_ms,
            const AllTargetsOptions& options)
      : space_(space),
        latency_(latency),
        accuracy_(accuracy),
        options_(options),
        rng_(Rng::derived(options.seed, {0x616c6c})),
        fastest_(fastest_net(space, latency, {.seed = options.seed})),
        archive_(std::move(targets_ms), static_cast<std::size_t>(std::max(
                                            options.parents, options.candidates_per_target))) {
    for (std::size_t t = 0; t < archive_.limits_ms().size(); ++t) {
      if (fastest_.predicted_ms <= archive_.limits_ms()[t]) {
        feasible_.push_back(t);
      }
    }
  }

  bool any_feasible() const { return !feasible_.empty(); }

  /// Returns how many nets were new.
  std::size_t first_generation() {
    std::vector<TimedArch> batch;
    std::unordered_set<space::Arch> drawn;
    const auto take = [&](TimedArch net) {
      if (!full(batch) && drawn.insert(net.arch).second) {
        batch.push_back(std::move(net));
      }
    };
    take(fastest_);
    const space::Arch smallest = space_.smallest();
    take({.arch = smallest, .predicted_ms = latency_.predict_ms(smallest)});
    for (int i = 0; i < options_.population; ++i) {
      take(repair(space_, latency_, space_.sample(rng_), limit_of(slot(i)), fastest_, rng_));
    }
    return evaluate(batch);
  }

  /// Returns how many nets were new.
  std::size_t next_generation(int generation) {
    std::vector<std::vector<const space::Arch*>> parents;
    for (const std::size_t t : feasible_) {
      parents.push_back(parents_of(t));
    }
    std::vector<TimedArch> batch;
    std::unordered_set<space::Arch> drawn;
    const auto known = [&](const space::Arch& arch) {
      return archive_.contains(arch) || drawn.contains(arch);
    };
    for (int i = 0; i < options_.population && !full(batch); ++i) {
      const std::size_t turn = slot(i + generation);
      auto child = breed(space_, latency_, parents[turn], limit_of(turn), fastest_, known,
                         options_.breed, rng_);
      if (child) {
        drawn.insert(child->arch);
        batch.push_back(std::move(*child));
      }
    }
    return evaluate(batch);
  }

  GenerationTrace trace(int generation) const {
    GenerationTrace entry{.generation = generation,
                          .evaluations = static_cast<std::int64_t>(archive_.all().size()),
                          .best_accuracy = {}};
    for (std::size_t t = 0; t < archive_.limits_ms().size(); ++t) {
      const auto ranking = archive_.ranking(t);
      entry.best_accuracy.push_back(ranking.empty() ? 0.0
                                                    : archive_[ranking.front()].predicted_accuracy);
    }
    return entry;
  }

  bool spent() const {
    return options_.max_evaluations > 0 &&
           static_cast<std::int64_t>(archive_.all().size()) >= options_.max_evaluations;
  }

  std::vector<TargetResult> targets() const {
    // Coordinate descent may have stopped short of what the evolution came across.
    double minimum_ms = fastest_.predicted_ms;
    for (const Candidate& candidate : archive_.all()) {
      minimum_ms = std::min(minimum_ms, candidate.predicted_ms);
    }
    std::vector<TargetResult> results;
    for (std::size_t t = 0; t < archive_.limits_ms().size(); ++t) {
      TargetResult result{.target_ms = archive_.limits_ms()[t],
                          .feasible = !archive_.ranking(t).empty(),
                          .minimum_ms = minimum_ms,
                          .candidates = {}};
      for (const std::size_t index : archive_.ranking(t)) {
        if (result.candidates.size() < static_cast<std::size_t>(options_.candidates_per_target)) {
          result.candidates.push_back(archive_[index]);
        }
      }
      results.push_back(std::move(result));
    }
    return results;
  }

  const std::vector<Candidate>& evaluated() const { return archive_.all(); }

 private:
  // Position in feasible_ of the target that the i-th net of a generation is for.
  std::size_t slot(int i) const { return static_cast<std::size_t>(i) % feasible_.size(); }
  double limit_of(std::size_t turn) const { return archive_.limits_ms()[feasible_[turn]]; }

  bool full(const std::vector<TimedArch>& batch) const {
    return options_.max_evaluations > 0 &&
           static_cast<std::int64_t>(archive_.all().size() + batch.size()) >=
               options_.max_evaluations;
  }

  std::vector<const space::Arch*> parents_of(std::size_t t) const {
    std::vector<const space::Arch*> parents;
    for (const std::size_t index : archive_.ranking(t)) {
      if (parents.size() < static_cast<std::size_t>(options_.parents)) {
        parents.push_back(&archive_[index].arch);
      }
    }
    return parents;
  }

  std::size_t evaluate(const std::vector<TimedArch>& batch) {
    std::vector<space::Arch> archs;
    for (const TimedArch& net : batch) {
      archs.push_back(net.arch);
    }
    std::vector<double> accuracies(archs.size());
    accuracy_.predict(archs, accuracies);
    std::size_t added = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      added += archive_.add({.arch = std::move(archs[i]),
                             .predicted_ms = batch[i].predicted_ms,
                             .predicted_accuracy = accuracies[i]})
                   ? 1
                   : 0;
    }
    return added;
  }

  const space::Space& space_;
  const latency::LatencyModel& latency_;
  const accuracy::AccuracyPredictor& accuracy_;
  AllTargetsOptions options_;
  Rng rng_;
  TimedArch fastest_;
  Archive archive_;
  std::vector<std::size_t> feasible_;  // indices of targets
};

void report(const ProgressFn& progress, const GenerationTrace& entry, int generations) {
  if (!progress) {
    return;
  }
  char message[64];
  std::snprintf(message, sizeof(message), "%lld nets, best accuracy %.4f",
                static_cast<long long>(entry.evaluations), entry.best_accuracy.back());
  progress({.stage = "search", .done = entry.generation, .total = generations, .message = message});
}

}  // namespace

AllTargetsResult search_all_targets(const space::Space& space, const latency::LatencyModel& latency,
                                    const accuracy::AccuracyPredictor& accuracy,
                                    std::span<const double> targets_ms,
                                    const AllTargetsOptions& options, const ProgressFn& progress) {
  check(options);
  std::vector<double> targets = checked_targets(targets_ms);
  require_same_space("the latency model", latency.space_name(), space.name());
  require_same_space("the accuracy predictor", accuracy.space_name(), space.name());

  Evolution evolution(space, latency, accuracy, std::move(targets), options);
  AllTargetsResult result;
  if (evolution.any_feasible()) {
    std::size_t added = evolution.first_generation();
    for (int generation = 0;; ++generation) {
      result.trace.push_back(evolution.trace(generation));
      report(progress, result.trace.back(), options.generations);
      if (generation == options.generations || added == 0 || evolution.spent()) {
        break;
      }
      added = evolution.next_generation(generation + 1);
    }
  }
  result.targets = evolution.targets();
  result.evaluations = static_cast<std::int64_t>(evolution.evaluated().size());
  result.front = pareto_front(evolution.evaluated());
  return result;
}

}  // namespace lathe::search
