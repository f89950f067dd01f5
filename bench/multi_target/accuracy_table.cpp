#include <cmath>
#include <cstdio>

#include "experiment.h"
#include "lathe/core/statistics.h"

namespace lathe::bench {
namespace {

/// The best accuracies for one target, one for each seed.
std::vector<double> best_accuracies(const std::vector<search::SearchResult>& results,
                                    std::size_t target) {
  std::vector<double> accuracies;
  for (const search::SearchResult& result : results) {
    accuracies.push_back(result.targets[target].candidates.front().predicted_accuracy);
  }
  return accuracies;
}

void print_effort(const std::string& name, const std::vector<search::SearchResult>& results) {
  std::vector<double> evaluations;
  std::vector<double> seconds;
  for (const search::SearchResult& result : results) {
    evaluations.push_back(static_cast<double>(result.evaluations));
    seconds.push_back(result.seconds);
  }
  std::printf("%-22s %9.0f evaluations, %s s\n", name.c_str(), mean(evaluations),
              mean_and_deviation(seconds, 3).c_str());
}

}  // namespace

bool print_accuracy_table(const Experiment& experiment, const search::Models& models) {
  std::printf("Predicted accuracy, %d seeds: mean and standard deviation, the paper's beside it\n",
              experiment.seeds);
  std::map<std::string, std::vector<double>> means;
  bool agrees = true;
  for (const std::string& name : experiment.methods) {
    const auto results =
        search_all_seeds(experiment, models, find_method(name), experiment.targets_ms);
    std::printf("\n");
    print_effort(name, results);
    const auto paper = experiment.paper.find(name);
    double largest = 0;
    for (std::size_t t = 0; t < experiment.targets_ms.size(); ++t) {
      const std::vector<double> accuracies = best_accuracies(results, t);
      means[name].push_back(mean(accuracies));
      std::printf("  %5g ms  %s", experiment.targets_ms[t],
                  mean_and_deviation(accuracies, 4).c_str());
      if (paper != experiment.paper.end()) {
        const double difference = mean(accuracies) - paper->second.at(t);
        largest = std::max(largest, std::abs(difference));
        std::printf("   paper %.4f  %+.4f", paper->second[t], difference);
      }
      if (means.contains("vanilla") && name != "vanilla") {
        std::printf("   vanilla %+.4f", mean(accuracies) - means["vanilla"][t]);
      }
      std::printf("\n");
    }
    std::printf("   mean     %.4f", mean(means[name]));
    if (means.contains("vanilla") && name != "vanilla") {
      std::printf("   vanilla %+.4f", mean(means[name]) - mean(means["vanilla"]));
    }
    std::printf("\n");
    if (paper != experiment.paper.end()) {
      const bool within = largest <= experiment.tolerance;
      agrees = agrees && within;
      std::printf("   largest difference to the paper %.4f: %s %.4f\n", largest,
                  within ? "within" : "NOT within", experiment.tolerance);
    }
    std::fflush(stdout);
  }
  return agrees;
}

}  // namespace lathe::bench
