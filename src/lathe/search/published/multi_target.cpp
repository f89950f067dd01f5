#include "lathe/search/published/multi_target.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lathe/search/published/evaluations.h"
#include "lathe/search/published/evolution.h"
#include "lathe/search/published/pruning.h"
#include "lathe/search/stopping_rule.h"

namespace lathe::search {
namespace {

using Clock = std::chrono::steady_clock;

bool descends(Strategy strategy) {
  return strategy == Strategy::kTopDown || strategy == Strategy::kTopDownAsCoded ||
         strategy == Strategy::kCold;
}

bool starts_warm(Strategy strategy) {
  return strategy == Strategy::kTopDown || strategy == Strategy::kTopDownAsCoded ||
         strategy == Strategy::kBottomUp || strategy == Strategy::kBottomUpAsCoded;
}

int followup_generations(const SearchOptions& options) {
  const EvolutionOptions& evolution = options.evolution;
  if (options.strategy == Strategy::kVanilla || options.strategy == Strategy::kRandom) {
    return evolution.generations;
  }
  if (evolution.followup_generations > 0) {
    return evolution.followup_generations;
  }
  const bool as_coded = options.strategy == Strategy::kTopDownAsCoded ||
                        options.strategy == Strategy::kBottomUpAsCoded;
  return static_cast<int>(std::lround(std::pow(evolution.generations, as_coded ? 2.0 / 3 : 0.5)));
}

std::string in_ms(double target_ms) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g ms", target_ms);
  return text;
}

/// What the next target starts from.
struct Answer {
  double target_ms = 0.0;
  space::Arch genes;
  std::vector<Member> population;
};

class OneByOne {
 public:
  OneByOne(const Problem& problem, std::span<const double> targets_ms, const SearchOptions& options,
           std::uint64_t seed, const ProgressFn& progress)
      : problem_(problem),
        options_(options),
        seed_(seed),
        progress_(progress),
        rule_(options.max_evaluations, options.budget_s),
        evaluations_(problem) {
    for (const double target_ms : targets_ms) {
      TargetResult target{.target_ms = target_ms,
                          .minimum_ms = std::numeric_limits<double>::infinity()};
      if (problem.fastest()) {
        target.minimum_ms = problem.fastest()->predicted_ms;
        target.feasible = target.minimum_ms <= target_ms;
      }
      if (target.feasible) {
        order_.push_back(result_.targets.size());
      }
      result_.targets.push_back(std::move(target));
    }
    if (descends(options.strategy)) {
      std::ranges::reverse(order_);
    }
  }

  SearchResult run() && {
    for (std::size_t turn = 0; turn < order_.size(); ++turn) {
      search(turn);
    }
    result_.evaluations = evaluations_.count();
    result_.front = evaluations_.front();
    return std::move(result_);
  }

 private:
  int generations(std::size_t turn) const {
    return turn == 0 ? options_.evolution.generations : followup_generations(options_);
  }

  /// Of what is left to do, in generations, the first random one included.
  double share(std::size_t turn) const {
    const double now = 1.0 + generations(turn);
    const double after = 1.0 + followup_generations(options_);
    return now / (now + after * static_cast<double>(order_.size() - turn - 1));
  }

  void search(std::size_t turn) {
    const auto start = Clock::now();
    TargetResult& target = result_.targets[order_[turn]];
    if (!starts_warm(options_.strategy)) {
      evaluations_.forget();
    }
    const std::int64_t before = evaluations_.count();
    Rng rng = Rng::derived(seed_, {std::bit_cast<std::uint64_t>(target.target_ms)});
    Evolution evolution(problem_, target.target_ms, options_.evolution,
                        static_cast<std::size_t>(options_.candidates_per_target),
                        rule_.share(share(turn), before), evaluations_, rng);
    begin(evolution, target.target_ms, rng);
    record(turn, 0, evolution);
    int found_in = 0;
    for (int g = 1; g <= generations(turn) && !evolution.stopped(); ++g) {
      const std::size_t best = evolution.best().evaluation;
      if (options_.strategy == Strategy::kRandom) {
        evolution.add_random(options_.evolution.population);
      } else {
        evolution.next_generation();
      }
      found_in = evolution.best().evaluation == best ? found_in : g;
      record(turn, g, evolution);
    }
    target.candidates = evolution.candidates();
    target.evaluations = evaluations_.count() - before;
    target.provenance = provenance(turn, found_in);
    previous_ = Answer{.target_ms = target.target_ms,
                       .genes = evolution.best().genes,
                       .population = evolution.population()};
    target.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }

  /// The population that the target starts with.
  void begin(Evolution& evolution, double limit_ms, Rng& rng) {
    const EvolutionOptions& evolve = options_.evolution;
    const bool warm = previous_.has_value() && starts_warm(options_.strategy);
    if (warm && options_.strategy == Strategy::kBottomUpAsCoded) {
      evolution.add(previous_->population);
      return;
    }
    if (warm && options_.strategy == Strategy::kTopDownAsCoded) {
      const auto copies = std::max(1L, std::lround(evolve.mutation_ratio * evolve.population));
      evolution.add(
          std::vector<space::Arch>(static_cast<std::size_t>(copies),
                                   pruned_as_coded(problem_, previous_->genes, limit_ms, rng)));
      return;
    }
    if (warm && options_.strategy == Strategy::kTopDown) {
      evolution.add({pruned_randomly(problem_, previous_->genes, limit_ms, rng)});
    } else if (warm) {
      evolution.add({previous_->genes});
    }
    evolution.add_random(evolve.population);
  }

  void record(std::size_t turn, int generation, const Evolution& evolution) {
    const Candidate& best = evaluations_.all()[evolution.best().evaluation];
    result_.trace.push_back({.generation = generation,
                             .evaluations = evaluations_.count(),
                             .best_accuracy = {best.predicted_accuracy},
                             .first_target = static_cast<int>(order_[turn])});
    if (progress_) {
      char message[96];
      std::snprintf(message, sizeof(message), "%g ms: %lld nets, best accuracy %.4f",
                    result_.targets[order_[turn]].target_ms,
                    static_cast<long long>(evaluations_.count()), best.predicted_accuracy);
      progress_({.stage = "search",
                 .done = static_cast<std::int64_t>(result_.trace.size()),
                 .total = total_steps(),
                 .message = message});
    }
  }

  std::int64_t total_steps() const {
    return 1 + generations(0) +
           static_cast<std::int64_t>(order_.size() - 1) * (1 + followup_generations(options_));
  }

  std::string provenance(std::size_t turn, int generation) const {
    std::string text = to_string(options_.strategy);
    text += options_.strategy == Strategy::kRandom ? " draws, batch " : ", generation ";
    text += std::to_string(generation) + " of " + std::to_string(generations(turn));
    if (turn > 0 && starts_warm(options_.strategy)) {
      text += ", started from the answer for " + in_ms(previous_->target_ms);
    }
    return text;
  }

  const Problem& problem_;
  const SearchOptions& options_;
  std::uint64_t seed_;
  const ProgressFn& progress_;
  StoppingRule rule_;
  Evaluations evaluations_;
  SearchResult result_;
  std::vector<std::size_t> order_;  // of the feasible targets
  std::optional<Answer> previous_;
};

}  // namespace

SearchResult search_one_by_one(const Problem& problem, std::span<const double> targets_ms,
                               const SearchOptions& options, std::uint64_t seed,
                               const ProgressFn& progress) {
  return OneByOne(problem, targets_ms, options, seed, progress).run();
}

}  // namespace lathe::search
