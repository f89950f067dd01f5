// What scripts/compare_width_search.sh needs besides the command line.
//   lathe_width_comparison_bench targets MODEL SHARE...   latency targets within the model's range
//   lathe_width_comparison_bench table FOLDER             of one space: its seeds' results
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lathe/accuracy/width_scores.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/search/reachable_range.h"
#include "lathe/space/space_file.h"

namespace lathe::bench {
namespace {

namespace fs = std::filesystem;

struct Model {
  std::unique_ptr<space::Space> space;
  std::unique_ptr<latency::StoredLatencyModel> latency;
};

Model open_model(const fs::path& path) {
  const latency::Fingerprint of = latency::fingerprint_of_model(path);
  Model model{.space = space::open_space(of.space, {.in_channels = of.in_channels,
                                                    .num_classes = of.num_classes,
                                                    .input_size = of.input_size}),
              .latency = nullptr};
  model.latency = latency::load_latency_model(*model.space, path);
  return model;
}

void print_targets(const fs::path& path, const std::vector<double>& shares) {
  const Model model = open_model(path);
  const search::ReachableRange range = search::reachable_range(*model.space, *model.latency);
  std::vector<std::string> targets;
  for (const double share : shares) {
    const double ms = range.fastest.predicted_ms +
                      share * (range.slowest.predicted_ms - range.fastest.predicted_ms);
    targets.push_back(fmt::format("{}", std::ceil(ms * 1000) / 1000));
  }
  fmt::print("{}\n", fmt::join(targets, ","));
}

/// A net that one of the methods found, finally trained.
struct Net {
  space::Arch arch;
  double test_error = 0;  // a fraction
  double predicted_ms = 0;
  double measured_ms = 0;
  double macs = 0;
};

/// By method and target.
using Nets = std::map<std::string, std::map<double, Net>>;

std::map<space::Arch, double> measured(const fs::path& benchmark, const space::Space& space) {
  std::map<space::Arch, double> ms;
  const nlohmann::json report = read_json(benchmark);
  for (const nlohmann::json& net : report.at("nets")) {
    ms[space.from_json(net.at("model"), benchmark.string())] = net.at("p50").get<double>();
  }
  return ms;
}

Nets nets_of(const fs::path& seed, const Model& model) {
  const auto ms = measured(seed / "benchmark.json", *model.space);
  Nets nets;
  for (const fs::directory_entry& entry : fs::directory_iterator(seed / "nets")) {
    const std::string name = entry.path().filename().string();
    const std::size_t dash = name.rfind('-');
    const nlohmann::json result = read_json(entry.path() / "result.json");
    const space::Arch arch = model.space->from_json(read_json(entry.path() / "arch.json"), name);
    nets[name.substr(0, dash)][std::stod(name.substr(dash + 1))] = {
        .arch = arch,
        .test_error = 1 - result.at("test_top1").get<double>(),
        .predicted_ms = model.latency->predict_ms(arch),
        .measured_ms = ms.at(arch),
        .macs = result.at("macs").get<double>()};
  }
  return nets;
}

/// Kendall's tau between scores and test errors: of all nets, and the mean of those of one target
/// each, among which size decides nothing.
void print_ranking(const std::string& name, const accuracy::WidthScores& scores, const Nets& nets) {
  std::vector<double> predicted, actual;
  std::map<double, std::pair<std::vector<double>, std::vector<double>>> by_target;
  for (const auto& [method, of_targets] : nets) {
    for (const auto& [target, net] : of_targets) {
      predicted.push_back(scores.error(net.arch));
      actual.push_back(net.test_error);
      by_target[target].first.push_back(predicted.back());
      by_target[target].second.push_back(actual.back());
    }
  }
  double within = 0;
  for (const auto& [target, both] : by_target) {
    within += kendall_tau(both.first, both.second) / static_cast<double>(by_target.size());
  }
  fmt::print(
      "  Kendall tau of {}'s scores with test errors: {:.2f} of {} nets, {:.2f} within "
      "targets\n",
      name, kendall_tau(predicted, actual), predicted.size(), within);
}

/// How many of the nets that AOWS drew had their target's latency, epoch by epoch.
void print_concentration(const fs::path& run) {
  std::vector<std::string> shares;
  for (const nlohmann::json& line : JsonLines(run / "metrics.jsonl").read()) {
    shares.push_back(fmt::format("{:.2f}", line.at("within_5_percent").get<double>()));
  }
  fmt::print("  {}: share of drawn nets within 5% of their target, by epoch: {}\n",
             run.filename().string(), fmt::join(shares, ", "));
}

void print_seed(const fs::path& seed, const Model& model, const Nets& nets) {
  fmt::print("{}\n  {:<8} {:>9} {:>13} {:>12} {:>7} {:>12}\n", seed.filename().string(), "method",
             "target ms", "predicted ms", "measured ms", "MMACs", "test error %");
  for (const auto& [method, of_targets] : nets) {
    for (const auto& [target, net] : of_targets) {
      fmt::print("  {:<8} {:>9.3f} {:>13.3f} {:>12.3f} {:>7.2f} {:>12.2f}\n", method, target,
                 net.predicted_ms, net.measured_ms, net.macs / 1e6, 100 * net.test_error);
    }
  }
  for (const char* const run : {"slimmable", "aows"}) {
    print_ranking(run, accuracy::WidthScores::load(*model.space, seed / run / "scores.json"), nets);
  }
  for (const char* const run : {"aows", "aows_zero_temperature"}) {
    print_concentration(seed / run);
  }
}

void print_table(const fs::path& base) {
  const Model model = open_model(base / "latency.json");
  std::vector<fs::path> seeds;
  for (const fs::directory_entry& entry : fs::directory_iterator(base)) {
    if (entry.is_directory() && fs::exists(entry.path() / "benchmark.json")) {
      seeds.push_back(entry.path());
    }
  }
  std::ranges::sort(seeds);
  fmt::print("{}\n", model.space->name());
  std::map<std::string, std::map<double, std::vector<double>>> errors;
  for (const fs::path& seed : seeds) {
    const Nets nets = nets_of(seed, model);
    print_seed(seed, model, nets);
    for (const auto& [method, of_targets] : nets) {
      for (const auto& [target, net] : of_targets) {
        errors[method][target].push_back(100 * net.test_error);
      }
    }
  }
  fmt::print("test error in %, mean over {} seeds\n", seeds.size());
  for (const auto& [method, of_targets] : errors) {
    std::string line = fmt::format("  {:<8}", method);
    for (const auto& [target, of_seeds] : of_targets) {
      line += fmt::format("  {:.3f} ms: {:5.2f}", target, mean(of_seeds));
    }
    fmt::print("{}\n", line);
  }
}

}  // namespace
}  // namespace lathe::bench

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.size() >= 3 && arguments[0] == "targets") {
      std::vector<double> shares;
      for (std::size_t i = 2; i < arguments.size(); ++i) {
        shares.push_back(std::stod(arguments[i]));
      }
      lathe::bench::print_targets(arguments[1], shares);
      return 0;
    }
    if (arguments.size() == 2 && arguments[0] == "table") {
      lathe::bench::print_table(arguments[1]);
      return 0;
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  fmt::print(stderr, "usage: lathe_width_comparison_bench targets MODEL SHARE... | table FOLDER\n");
  return 2;
}
