#include <cstdio>

#include "experiment.h"
#include "lathe/core/statistics.h"

namespace lathe::bench {
namespace {

bool starts_slow(search::Strategy strategy) {
  return strategy == search::Strategy::kTopDown || strategy == search::Strategy::kTopDownAsCoded ||
         strategy == search::Strategy::kCold;
}

std::vector<double> targets_of(const Experiment& experiment, std::size_t count,
                               search::Strategy strategy) {
  const std::vector<double>& all =
      count <= experiment.few_targets_ms.size() ? experiment.few_targets_ms : experiment.targets_ms;
  const auto skipped = starts_slow(strategy) ? all.size() - count : 0;
  return {all.begin() + static_cast<std::ptrdiff_t>(skipped),
          all.begin() + static_cast<std::ptrdiff_t>(skipped + count)};
}

}  // namespace

bool print_time_table(const Experiment& experiment, const search::Models& models) {
  std::printf(
      "Seconds of search on one thread, %d seeds: mean and standard deviation; share of\n"
      "vanilla's; the paper's seconds and share beside it\n",
      experiment.seeds);
  bool agrees = true;
  for (std::size_t row = 0; row < experiment.counts.size(); ++row) {
    const auto count = static_cast<std::size_t>(experiment.counts[row]);
    std::printf("\n%zu targets\n", count);
    double vanilla_s = 0;
    for (const std::string& name : experiment.methods) {
      const Method method = find_method(name);
      const auto results = search_all_seeds(experiment, models, method,
                                            targets_of(experiment, count, method.strategy));
      std::vector<double> seconds;
      std::vector<double> evaluations;
      for (const search::SearchResult& result : results) {
        seconds.push_back(result.seconds);
        evaluations.push_back(static_cast<double>(result.evaluations));
      }
      vanilla_s = method.strategy == search::Strategy::kVanilla ? mean(seconds) : vanilla_s;
      std::printf("  %-22s %s s  %9.0f evaluations", name.c_str(),
                  mean_and_deviation(seconds, 3).c_str(), mean(evaluations));
      const double ratio = vanilla_s > 0 ? mean(seconds) / vanilla_s : 0.0;
      if (vanilla_s > 0) {
        std::printf("  %5.3f", ratio);
      }
      if (const auto paper = experiment.paper.find(name); paper != experiment.paper.end()) {
        std::printf("   paper %6.1f s", paper->second.at(row));
        if (const auto base = experiment.paper.find("vanilla"); base != experiment.paper.end()) {
          std::printf("  %5.3f", paper->second.at(row) / base->second.at(row));
        }
      }
      const auto most = experiment.max_time_ratio.find(name);
      if (count == experiment.targets_ms.size() && most != experiment.max_time_ratio.end()) {
        const bool within = ratio <= most->second;
        agrees = agrees && within;
        std::printf("   %s %.2f", within ? "within" : "NOT within", most->second);
      }
      std::printf("\n");
      std::fflush(stdout);
    }
  }
  return agrees;
}

}  // namespace lathe::bench
