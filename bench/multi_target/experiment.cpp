#include "experiment.h"

#include <cstdio>

#include "lathe/core/error.h"
#include "lathe/core/statistics.h"

namespace lathe::bench {

Method find_method(const std::string& name) {
  using search::Effort;
  using search::Strategy;
  for (const Strategy strategy :
       {Strategy::kVanilla, Strategy::kTopDown, Strategy::kBottomUp, Strategy::kTopDownAsCoded,
        Strategy::kBottomUpAsCoded, Strategy::kCold, Strategy::kRandom}) {
    if (name == to_string(strategy)) {
      return {.name = name, .strategy = strategy};
    }
  }
  const std::map<std::string, Effort> efforts{{"all-targets-fast", Effort::kFast},
                                              {"all-targets-normal", Effort::kNormal},
                                              {"all-targets-thorough", Effort::kThorough}};
  const auto found = efforts.find(name);
  if (found == efforts.end()) {
    throw Error("unknown method \"" + name +
                "\": expected a strategy of lathe search, all-targets with -fast, -normal or "
                "-thorough");
  }
  return {.name = name, .strategy = Strategy::kAllTargets, .effort = found->second};
}

std::vector<search::SearchResult> search_all_seeds(const Experiment& experiment,
                                                   const search::Models& models,
                                                   const Method& method,
                                                   std::span<const double> targets_ms) {
  std::vector<search::SearchResult> results;
  for (int seed = 0; seed < experiment.seeds; ++seed) {
    Rng rng(static_cast<std::uint64_t>(seed));
    results.push_back(search::search_targets(
        *models.space, *models.latency, *models.accuracy, targets_ms,
        {.strategy = method.strategy, .effort = method.effort, .evolution = experiment.evolution},
        rng));
  }
  return results;
}

std::string mean_and_deviation(std::span<const double> values, int digits) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f ±%.*f", digits, mean(values), digits,
                sample_deviation(values));
  return text;
}

}  // namespace lathe::bench
