#include "lathe/search/search_targets.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/search/all_targets/all_targets.h"
#include "lathe/search/chain/chain_targets.h"
#include "lathe/search/published/multi_target.h"

namespace lathe::search {
namespace {

constexpr std::int64_t kMaxPopulation = 1'000'000;
constexpr std::int64_t kMaxGenerations = 10'000'000;
constexpr std::int64_t kMaxDraws = 100'000'000;  // of one target: each may take 100 bytes
constexpr std::int64_t kMaxCandidates = 100'000;
constexpr std::size_t kMaxTargets = 100'000;
constexpr double kRounding = 1e-9;  // relative, between two ways to add up the same latency

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("[search::search_targets] " + what);
}

void require_within(const char* name, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value < least || value > most) {
    refuse(std::string(name) + " must be from " + std::to_string(least) + " to " +
           std::to_string(most) + ", got " + std::to_string(value));
  }
}

void require_share(const char* name, double value, bool zero_too) {
  if (!(value <= 1 && (zero_too ? value >= 0 : value > 0))) {
    refuse(std::string(name) + " must be in " + (zero_too ? "[" : "(") + "0, 1], got " +
           std::to_string(value));
  }
}

void check(const SearchOptions& options) {
  const EvolutionOptions& evolution = options.evolution;
  require_within("evolution.population", evolution.population, 1, kMaxPopulation);
  require_within("evolution.generations", evolution.generations, 0, kMaxGenerations);
  require_within("evolution.followup_generations", evolution.followup_generations, 0,
                 kMaxGenerations);
  const std::int64_t most_generations =
      std::max(evolution.generations, evolution.followup_generations);
  require_within("evolution.population times generations", evolution.population * most_generations,
                 0, kMaxDraws);
  require_share("evolution.mutation_prob", evolution.mutation_prob, true);
  require_share("evolution.parent_ratio", evolution.parent_ratio, false);
  require_share("evolution.mutation_ratio", evolution.mutation_ratio, true);
  require_within("candidates_per_target", options.candidates_per_target, 1, kMaxCandidates);
  if (options.max_evaluations < 0) {
    refuse("max_evaluations must be >= 0, got " + std::to_string(options.max_evaluations));
  }
  if (!(std::isfinite(options.budget_s) && options.budget_s >= 0)) {
    refuse("budget_s must be >= 0, got " + std::to_string(options.budget_s));
  }
}

std::vector<double> sorted_and_distinct(std::span<const double> targets_ms) {
  if (targets_ms.empty()) {
    refuse("targets_ms must not be empty");
  }
  if (targets_ms.size() > kMaxTargets) {
    refuse("targets_ms must be at most " + std::to_string(kMaxTargets) + ", got " +
           std::to_string(targets_ms.size()));
  }
  for (const double target_ms : targets_ms) {
    if (!std::isfinite(target_ms) || target_ms <= 0) {
      refuse("targets_ms must be > 0, got " + std::to_string(target_ms));
    }
  }
  std::vector<double> sorted(targets_ms.begin(), targets_ms.end());
  std::ranges::sort(sorted);
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return sorted;
}

[[noreturn]] void contradict(const TargetResult& target, const std::string& what) {
  throw std::logic_error("[search::search_targets] the answer for " +
                         std::to_string(target.target_ms) + " ms " + what);
}

/// What a strategy says of its nets, asked of the models again.
void check_answer(const Problem& problem, const TargetResult& target) {
  if (target.feasible == target.candidates.empty()) {
    contradict(target, "must have candidates exactly if feasible");
  }
  std::vector<space::Arch> archs;
  for (const Candidate& candidate : target.candidates) {
    archs.push_back(candidate.arch);
  }
  std::vector<double> accuracies(archs.size());
  problem.predict_accuracy(archs, accuracies);
  for (std::size_t i = 0; i < archs.size(); ++i) {
    const Candidate& candidate = target.candidates[i];
    const double ms = problem.latency().predict_ms(archs[i]);
    if (!(std::abs(ms - candidate.predicted_ms) <= kRounding * std::abs(ms))) {
      contradict(target, "is said to take " + std::to_string(candidate.predicted_ms) +
                             " ms, and takes " + std::to_string(ms));
    }
    if (accuracies[i] != candidate.predicted_accuracy) {
      contradict(target, "is said to have accuracy " +
                             std::to_string(candidate.predicted_accuracy) + ", and has " +
                             std::to_string(accuracies[i]));
    }
    if (!(candidate.predicted_ms <= target.target_ms) || !problem.allowed(archs[i])) {
      contradict(target, "does not keep the limits: " + std::to_string(ms) + " ms");
    }
    if (i > 0 && !better(target.candidates[i - 1], candidate)) {
      contradict(target, "must rank distinct nets, best first");
    }
  }
}

}  // namespace

std::string to_string(Strategy strategy) {
  switch (strategy) {
    case Strategy::kAllTargets:
      return "all-targets";
    case Strategy::kVanilla:
      return "vanilla";
    case Strategy::kTopDown:
      return "top-down";
    case Strategy::kBottomUp:
      return "bottom-up";
    case Strategy::kTopDownAsCoded:
      return "top-down-as-coded";
    case Strategy::kBottomUpAsCoded:
      return "bottom-up-as-coded";
    case Strategy::kCold:
      return "cold";
    case Strategy::kRandom:
      return "random";
    case Strategy::kOws:
      return "ows";
    case Strategy::kPareto:
      return "pareto";
    case Strategy::kLagrangian:
      return "lagrangian";
    case Strategy::kGreedy:
      return "greedy";
    case Strategy::kUniform:
      return "uniform";
  }
  throw std::invalid_argument("[search::to_string] unknown strategy");
}

SearchResult search_targets(const space::Space& space, const latency::LatencyModel& latency,
                            const accuracy::AccuracyPredictor& accuracy,
                            std::span<const double> targets_ms, const SearchOptions& options,
                            Rng& rng, const ProgressFn& progress) {
  const auto start = std::chrono::steady_clock::now();
  check(options);
  const std::vector<double> targets = sorted_and_distinct(targets_ms);
  const Problem problem(space, latency, accuracy, options.constraints);
  const std::uint64_t high = rng.next();
  const std::uint64_t seed = high << 32 | rng.next();
  SearchResult result;
  if (options.strategy == Strategy::kAllTargets) {
    result = search_all_at_once(problem, targets, options, seed, progress);
  } else if (solves_chains(options.strategy)) {
    result = search_chain(problem, targets, options);
  } else {
    result = search_one_by_one(problem, targets, options, seed, progress);
  }
  for (const TargetResult& target : result.targets) {
    check_answer(problem, target);
  }
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  result.seconds = spent.count();
  if (options.strategy == Strategy::kAllTargets || solves_chains(options.strategy)) {
    for (TargetResult& target : result.targets) {
      target.seconds = result.seconds;
    }
  }
  return result;
}

}  // namespace lathe::search
