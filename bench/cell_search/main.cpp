// What searches of cells reach beside random cells: the table and the picture of
// scripts/compare_cell_search.sh.
//   lathe_cell_search_bench NETS [FIGURE.svg]
// NETS has a net a line, `CELLS_SEED measured_ms macs validation_top1 test_top1`; those whose CELLS
// are "random" and a number are random ones, of which a row has the best of each seed by validation
// images.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/report/tradeoff_plot.h"

namespace lathe::bench {
namespace {

constexpr const char* kRandom = "random";

struct Net {
  std::string cells, seed;
  double ms = 0, macs = 0, validation = 0, test = 0;
};

std::vector<Net> read_nets(const std::filesystem::path& path) {
  std::istringstream lines(read_file(path));
  std::vector<Net> nets;
  for (std::string line, name; std::getline(lines, line);) {
    Net net;
    std::istringstream fields(line);
    if (!(fields >> name >> net.ms >> net.macs >> net.validation >> net.test)) {
      throw Error(path.string() + ": line " + std::to_string(nets.size() + 1) +
                  ": expected CELLS_SEED measured_ms macs validation_top1 test_top1, got " + line);
    }
    const std::size_t end = std::min(name.rfind('_'), name.size());
    net.cells = name.substr(0, end);
    net.seed = name.substr(end);
    const std::size_t number = std::string(kRandom).size();
    if (net.cells.starts_with(kRandom) &&
        std::all_of(net.cells.begin() + static_cast<std::ptrdiff_t>(number), net.cells.end(),
                    [](unsigned char c) { return std::isdigit(c) != 0; })) {
      net.cells = kRandom;
    }
    nets.push_back(net);
  }
  return nets;
}

using Group = std::pair<std::string, std::vector<Net>>;

std::vector<Group> groups_of(const std::vector<Net>& nets) {
  std::vector<Group> groups;
  std::map<std::string, Net> best;  // random one of each seed
  for (const Net& net : nets) {
    const auto found =
        std::ranges::find_if(groups, [&](const Group& group) { return group.first == net.cells; });
    (found == groups.end() ? groups.emplace_back(net.cells, std::vector<Net>{}) : *found)
        .second.push_back(net);
    if (net.cells == kRandom) {
      Net& kept = best.try_emplace(net.seed, net).first->second;
      kept = net.validation > kept.validation ? net : kept;
    }
  }
  if (!best.empty()) {
    Group& group = groups.emplace_back("best random one", std::vector<Net>{});
    for (const auto& [seed, net] : best) {
      group.second.push_back(net);
    }
  }
  return groups;
}

std::vector<double> values(const std::vector<Net>& nets, double Net::*member) {
  std::vector<double> all;
  for (const Net& net : nets) {
    all.push_back(net.*member);
  }
  return all;
}

void print_table(const std::vector<Group>& groups) {
  fmt::print("| cells | nets | measured ms | MMACs | test top-1 % |\n|---|---|---|---|---|\n");
  for (const auto& [cells, nets] : groups) {
    const std::vector<double> ms = values(nets, &Net::ms), test = values(nets, &Net::test);
    fmt::print("| {} | {} | {:.3f} +- {:.3f} | {:.2f} | {:.2f} +- {:.2f} |\n", cells, nets.size(),
               mean(ms), sample_deviation(ms), mean(values(nets, &Net::macs)) / 1e6,
               100 * mean(test), 100 * sample_deviation(test));
  }
}

/// Means of each kind of cells, one colour for what differs by a number alone; random ones each.
std::string figure_svg(const std::vector<Group>& groups) {
  report::TradeoffPlot plot{.title = "Test accuracy of nets of searched and of random cells",
                            .latency_label = "measured latency (ms)",
                            .accuracy_label = "test top-1 (%)"};
  const auto series = [&](const std::string& name) -> report::TradeoffSeries& {
    const auto found = std::ranges::find_if(
        plot.answers, [&](const report::TradeoffSeries& one) { return one.name == name; });
    return found == plot.answers.end() ? plot.answers.emplace_back(name) : *found;
  };
  for (const auto& [cells, nets] : groups) {
    if (cells == kRandom) {
      for (const Net& net : nets) {
        series(cells).points.push_back({net.ms, net.test});
      }
    } else {
      const auto digit =
          std::ranges::find_if(cells, [](unsigned char c) { return std::isdigit(c) != 0; });
      series({cells.begin(), digit})
          .points.push_back({mean(values(nets, &Net::ms)), mean(values(nets, &Net::test))});
    }
  }
  return report::tradeoff_svg(plot);
}

void run(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.size() > 2) {
    throw Error("lathe_cell_search_bench NETS [FIGURE.svg]");
  }
  const std::vector<Group> groups = groups_of(read_nets(arguments[0]));
  print_table(groups);
  if (arguments.size() == 2) {
    write_file_atomic(arguments[1], figure_svg(groups));
  }
}

}  // namespace
}  // namespace lathe::bench

int main(int argc, char** argv) {
  try {
    lathe::bench::run({argv + 1, argv + argc});
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
