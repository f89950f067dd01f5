#include "tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "buckets.h"
#include "lathe/core/statistics.h"
#include "lathe/report/tradeoff_plot.h"

namespace lathe::bench {
namespace {

using OfMethod = std::pair<std::string, std::vector<const JudgedRun*>>;

/// The methods in the order of their first runs, each with its runs.
std::vector<OfMethod> by_method(const std::vector<JudgedRun>& runs) {
  std::vector<OfMethod> methods;
  for (const JudgedRun& run : runs) {
    const auto found = std::ranges::find(methods, run.method, &OfMethod::first);
    auto& of = found == methods.end()
                   ? methods.emplace_back(run.method, std::vector<const JudgedRun*>())
                   : *found;
    of.second.push_back(&run);
  }
  return methods;
}

const std::vector<JudgedNet>& best_of(const JudgedRun& run, Cost cost) {
  return cost == Cost::kMacs ? run.by_macs : run.by_latency;
}

/// Test top-1 in %: of each bucket, their mean, and of the smallest and the largest net.
std::vector<double> columns(const JudgedRun& run, Cost cost) {
  std::vector<double> values;
  for (const JudgedNet& net : best_of(run, cost)) {
    values.push_back(100 * net.test_top1);
  }
  values.push_back(mean(values));
  values.push_back(100 * run.smallest.test_top1);
  values.push_back(100 * run.largest.test_top1);
  return values;
}

/// The mean, with the sample's standard deviation if there is more than one value.
std::string mean_text(const std::vector<double>& values) {
  return values.size() < 2 ? fmt::format("{:.2f}", mean(values))
                           : fmt::format("{:.2f} ± {:.2f}", mean(values), sample_deviation(values));
}

std::string net_text(const JudgedNet& net, Cost cost) {
  return cost == Cost::kLatency
             ? fmt::format("{:.2f} ({:.2f} ms)", 100 * net.test_top1, net.measured_ms)
             : fmt::format("{:.2f} ({:.1f})", 100 * net.test_top1, net.mmacs);
}

std::string header(const std::string& first) {
  return "| " + first + " | 1 | 2 | 3 | 4 | 5 | 6 | mean | smallest | largest |\n" +
         "|---|---|---|---|---|---|---|---|---|---|\n";
}

}  // namespace

std::string table(const std::vector<JudgedRun>& runs, Cost cost) {
  const bool macs = cost == Cost::kMacs;
  std::string text = fmt::format(
      "test top-1 in % ({}) of the best net by validation in each of six buckets of {}\n\n",
      macs ? "MMACs" : "measured", macs ? "MACs" : "latency");
  text += header("run");
  for (const JudgedRun& run : runs) {
    text += fmt::format("| {} |", run.name);
    for (const JudgedNet& net : best_of(run, cost)) {
      text += fmt::format(" {} |", net_text(net, cost));
    }
    text += fmt::format(" {:.2f} | {} | {} |\n", columns(run, cost).at(kBuckets),
                        net_text(run.smallest, cost), net_text(run.largest, cost));
  }
  text += "\n" + header("method (runs)");
  for (const auto& [method, of_method] : by_method(runs)) {
    text += fmt::format("| {} ({}) |", method, of_method.size());
    for (std::size_t c = 0; c < kBuckets + 3; ++c) {
      std::vector<double> values;
      for (const JudgedRun* const run : of_method) {
        values.push_back(columns(*run, cost).at(c));
      }
      text += fmt::format(" {} |", mean_text(values));
    }
    text += "\n";
  }
  return text;
}

std::string figure_svg(const std::vector<JudgedRun>& runs) {
  report::TradeoffPlot plot{.title = "Test accuracy of nets out of supernets, by training method",
                            .latency_label = "measured latency (ms)",
                            .accuracy_label = "test top-1 (%)"};
  for (const auto& [method, of_method] : by_method(runs)) {
    report::TradeoffSeries& series = plot.answers.emplace_back(method);
    for (std::size_t b = 0; b < kBuckets; ++b) {
      std::vector<double> ms, top1;
      for (const JudgedRun* const run : of_method) {
        ms.push_back(run->by_latency.at(b).measured_ms);
        top1.push_back(run->by_latency.at(b).test_top1);
      }
      series.points.push_back({mean(ms), mean(top1)});
    }
  }
  return report::tradeoff_svg(plot);
}

}  // namespace lathe::bench
