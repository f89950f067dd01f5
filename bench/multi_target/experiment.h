// The tables of Kumar and Szidon, "Efficient Incorporation of Multiple Latency Targets in the
// Once-For-All Network", with the latency table and the accuracy predictor that they used.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "lathe/search/models.h"
#include "lathe/search/search_targets.h"

namespace lathe::bench {

/// What a preset says.
struct Experiment {
  std::string space;
  std::filesystem::path latency;   ///< relative to the folder of published data
  std::filesystem::path accuracy;  ///< likewise
  std::vector<double> targets_ms;  ///< ascending
  /// Of the time table: how many targets. Those of `few_targets_ms` are taken where they suffice,
  /// from the end that the strategy starts at, as the authors did; otherwise `targets_ms`.
  std::vector<int> counts;
  std::vector<double> few_targets_ms;
  std::vector<std::string> methods;  ///< of find_method()
  int seeds = 10;
  search::EvolutionOptions evolution;
  std::map<std::string, std::vector<double>> paper;  ///< by method: the column of the paper
  double tolerance = 0.0;                            ///< of the accuracy, against the paper
  std::map<std::string, double> max_time_ratio;      ///< by method: to vanilla, all targets
};

struct Method {
  std::string name;
  search::Strategy strategy = search::Strategy::kVanilla;
  search::Effort effort = search::Effort::kNormal;
};

/// The name of a strategy; all-targets with its effort: `all-targets-fast`. @throws Error for
/// another.
Method find_method(const std::string& name);

/// One search for each seed.
std::vector<search::SearchResult> search_all_seeds(const Experiment& experiment,
                                                   const search::Models& models,
                                                   const Method& method,
                                                   std::span<const double> targets_ms);

/// `0.8123 ±0.0012`: mean and standard deviation (n - 1).
std::string mean_and_deviation(std::span<const double> values, int digits);

/// Both print a table beside the paper's, and whether it agrees. They return whether it does.
bool print_accuracy_table(const Experiment& experiment, const search::Models& models);
bool print_time_table(const Experiment& experiment, const search::Models& models);

}  // namespace lathe::bench
