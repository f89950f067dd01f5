// The search as a library call: the best nets for every latency target, by any strategy.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/core/progress.h"
#include "lathe/core/random.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/search/candidate.h"
#include "lathe/search/problem.h"
#include "lathe/space/space.h"

namespace lathe::search {

/// How the targets are searched: those up to kRandom but the first one target after the other, by
/// the evolution of Cai et al., "Once-for-All" (ICLR 2020), see multi_target.h; those after it by
/// solvers over sums, see chain/chain_targets.h.
enum class Strategy {
  kAllTargets,       ///< one run for all targets over a shared archive (all_targets.h)
  kVanilla,          ///< every target alone, from scratch
  kTopDown,          ///< from the slowest; the answer, pruned at random, joins the next population
  kBottomUp,         ///< from the fastest; the answer joins the next population
  kTopDownAsCoded,   ///< as its authors' code does it: the next population is copies of it
  kBottomUpAsCoded,  ///< as its authors' code does it: the whole population goes on
  kCold,             ///< the control: generations as kTopDown, but every target from scratch
  kRandom,           ///< as many random nets within each target as kVanilla draws
  kOws,              ///< optimal width search: the optimum for every target, exactly
  kPareto,           ///< the same, and the exact front of the whole space beside it
  kLagrangian,       ///< AOWS's own solver: the optimum on the convex hull, with its bound
  kGreedy,           ///< AutoSlim's: the widest net shrunk by the layer that it hurts least
  kUniform,          ///< MobileNet's: one multiplier for all widths
};

/// `all-targets`, `vanilla`, `top-down`, `bottom-up`, `top-down-as-coded`, `bottom-up-as-coded`,
/// `cold`, `random`, `ows`, `pareto`, `lagrangian`, `greedy`, `uniform`.
std::string to_string(Strategy strategy);

/// How much work kAllTargets puts in; the other strategies ignore it.
enum class Effort { kFast, kNormal, kThorough };

/// Of the strategies that search one target after the other.
struct EvolutionOptions {
  int population = 100;
  int generations = 500;        ///< of a target that is searched from scratch
  double mutation_prob = 0.1;   ///< that a gene of a mutant is redrawn
  double parent_ratio = 0.25;   ///< of the population: the best, from which the others are bred
  double mutation_ratio = 0.5;  ///< of the nets bred; the others are crossovers
  /// Of every target but the first, where the strategy starts from an answer, and of kCold. 0: the
  /// square root of `generations`, as the paper says (22 for 500); as coded the 63 of the paper's
  /// experiments, which is 500 to the power of 2/3.
  int followup_generations = 0;
};

struct SearchOptions {
  Strategy strategy = Strategy::kAllTargets;
  Effort effort = Effort::kNormal;
  EvolutionOptions evolution;
  Constraints constraints;
  /// Accuracy predictions after which to stop, for all targets together; 0: no limit. One by one,
  /// each target gets its generations' share of what is left, and at least one.
  std::int64_t max_evaluations = 0;
  /// Seconds after which to stop; 0: no limit. Then the answer depends on the machine.
  double budget_s = 0.0;
  int candidates_per_target = 10;  ///< how many ranked nets are returned for each
};

/// How good an answer is for certain, in the unit of AccuracyPredictor::error_costs().
struct ErrorBound {
  double error = 0.0;  ///< of the net
  double bound = 0.0;  ///< no net within the target and the constraints has less
  double gap() const { return error - bound; }
  bool operator==(const ErrorBound&) const = default;
};

struct TargetResult {
  double target_ms = 0.0;
  bool feasible = false;
  double minimum_ms = 0.0;  ///< of the fastest allowed net; infinity if none is allowed
  /// Distinct, best first, all within the target and the constraints; empty exactly if infeasible.
  std::vector<Candidate> candidates;
  std::int64_t evaluations = 0;           ///< spent on it; all-targets: on all of them
  double seconds = 0.0;                   ///< spent on it; all-targets: on all of them
  std::string provenance;                 ///< for people: where the first candidate comes from
  std::optional<ErrorBound> error_bound;  ///< of the net with the least error, where one is proved

  /// `seconds`, being the machine's, take no part.
  bool operator==(const TargetResult& other) const {
    return target_ms == other.target_ms && feasible == other.feasible &&
           minimum_ms == other.minimum_ms && candidates == other.candidates &&
           evaluations == other.evaluations && provenance == other.provenance &&
           error_bound == other.error_bound;
  }
};

/// The state after one generation.
struct GenerationTrace {
  int generation = 0;  ///< 0: before the first
  std::int64_t evaluations = 0;
  /// Of the targets that were being searched, in order from the index `first_target`; 0 where
  /// infeasible.
  std::vector<double> best_accuracy;
  int first_target = 0;
  bool operator==(const GenerationTrace&) const = default;
};

struct SearchResult {
  std::vector<TargetResult> targets;  ///< ascending, each distinct target once
  std::int64_t evaluations = 0;       ///< accuracy predictions
  double seconds = 0.0;
  std::vector<Candidate> front;  ///< pareto_front() of everything evaluated
  std::vector<GenerationTrace> trace;
};

/// The best nets for every target, best first, with the latency and the accuracy that the models
/// predict for them: that is checked before they are returned. Targets are sorted, and each is
/// searched once. A target that no allowed net meets is a result, found at once: infeasible, with
/// the minimum that is reachable.
///
/// The same generator state gives the same result on any machine, unless `budget_s` is set. Draws
/// two numbers from `rng`.
/// @throws std::invalid_argument if there is no target, one is not finite and > 0, an option is out
/// of range, or as Problem; Error as the models, or if the strategy can't search with such models
/// or such a space (chain/chain_targets.h); std::logic_error if a net is not what a strategy said
/// of it.
SearchResult search_targets(const space::Space& space, const latency::LatencyModel& latency,
                            const accuracy::AccuracyPredictor& accuracy,
                            std::span<const double> targets_ms, const SearchOptions& options,
                            Rng& rng, const ProgressFn& progress = {});

}  // namespace lathe::search
