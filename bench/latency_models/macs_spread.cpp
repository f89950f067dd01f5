// What multiply-accumulates say about latency: figure 2 of LA-DARTS on samples measured here.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "latency_models.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/space/space_file.h"

namespace lathe::bench {
namespace {

constexpr std::size_t kFewestNets = 100;
constexpr double kAlike = 0.01;  // MACs that count as equal, relatively
constexpr int kWidth = 640, kHeight = 420, kMargin = 56;

struct Net {
  double mmacs = 0, ms = 0;
};

std::vector<Net> read(const std::filesystem::path& path, std::string& name) {
  const auto of = latency::fingerprint_of_samples(path);
  name = of.space;
  const auto space = space::open_space(
      of.space,
      {.in_channels = of.in_channels, .num_classes = of.num_classes, .input_size = of.input_size});
  std::vector<Net> nets;
  for (const auto& sample : latency::read_samples(path, *space).samples) {
    nets.push_back(
        {static_cast<double>(graph::macs(space->graph(sample.arch))) / 1e6, sample.median_ms});
  }
  if (nets.size() < kFewestNets) {
    throw Error(path.string() + ": needs at least " + std::to_string(kFewestNets) + " nets, has " +
                std::to_string(nets.size()));
  }
  std::sort(nets.begin(), nets.end(), [](const Net& a, const Net& b) { return a.mmacs < b.mmacs; });
  return nets;
}

void print_spread(const std::vector<Net>& nets) {
  fmt::print(
      "| MMACs (within 1%) | nets | fastest ms | 5% | median | 95% | slowest ms | 95% / 5% |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (int decile = 1; decile < 10; decile += 2) {
    const double middle = nets[nets.size() * static_cast<std::size_t>(decile) / 10].mmacs;
    std::vector<double> ms;
    for (const Net& net : nets) {
      if (std::abs(net.mmacs / middle - 1) <= kAlike) ms.push_back(net.ms);
    }
    const double low = quantile(ms, 0.05), high = quantile(ms, 0.95);
    fmt::print("| {:.2f} | {} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | {:.2f} |\n", middle,
               ms.size(), *std::min_element(ms.begin(), ms.end()), low, quantile(ms, 0.5), high,
               *std::max_element(ms.begin(), ms.end()), high / low);
  }
}

/// A dot a net, MACs to the right, latency upwards, both from 0.
std::string scatter(const std::vector<Net>& nets) {
  double most_ms = 0;
  for (const Net& net : nets) most_ms = std::max(most_ms, net.ms);
  const double most_mmacs = nets.back().mmacs;
  const auto x = [&](double mmacs) {
    return kMargin + (kWidth - 2.0 * kMargin) * mmacs / most_mmacs;
  };
  const auto y = [&](double ms) {
    return kHeight - kMargin - (kHeight - 2.0 * kMargin) * ms / most_ms;
  };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      kWidth, kHeight);
  for (int tick = 0; tick <= 4; ++tick) {
    const double mmacs = most_mmacs * tick / 4, ms = most_ms * tick / 4;
    svg += fmt::format("<text x=\"{:.0f}\" y=\"{}\" text-anchor=\"middle\">{:.1f}</text>\n",
                       x(mmacs), kHeight - kMargin + 18, mmacs);
    svg += fmt::format("<text x=\"{}\" y=\"{:.0f}\" text-anchor=\"end\">{:.2f}</text>\n",
                       kMargin - 6, y(ms) + 4, ms);
    svg += fmt::format("<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n",
                       kMargin, kWidth - kMargin, y(ms), y(ms));
  }
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">million MACs</text>\n",
                     kWidth / 2, kHeight - 12);
  svg +=
      fmt::format("<text x=\"{}\" y=\"{}\">latency, ms (measured)</text>\n", kMargin, kMargin - 16);
  // Thousands of nets are few pixels: the more nets one has, the darker it is.
  std::map<std::pair<long, long>, int> nets_at;
  for (const Net& net : nets) ++nets_at[{std::lround(x(net.mmacs)), std::lround(y(net.ms))}];
  std::array<std::string, 3> paths;  // of 1, 2 to 3, and more nets
  for (const auto& [at, count] : nets_at) {
    paths[count == 1 ? 0 : count < 4 ? 1 : 2] += fmt::format("M{} {}h0", at.first, at.second);
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    svg += fmt::format(
        "<path d=\"{}\" stroke=\"#1f5fa8\" stroke-opacity=\"{}\" stroke-width=\"2\" "
        "stroke-linecap=\"round\"/>\n",
        paths[i], 0.3 + 0.3 * static_cast<double>(i));
  }
  return svg + "</svg>\n";
}

}  // namespace

void print_macs_spread(const std::filesystem::path& path, const std::filesystem::path& figure) {
  std::string name;
  const std::vector<Net> nets = read(path, name);
  std::vector<double> mmacs, ms;
  for (const Net& net : nets) {
    mmacs.push_back(net.mmacs);
    ms.push_back(net.ms);
  }
  fmt::print("\n{} nets of {}: Spearman of MACs and latency {:.3f}, Kendall {:.3f}\n\n",
             nets.size(), name, spearman(mmacs, ms), kendall_tau(mmacs, ms));
  print_spread(nets);
  if (!figure.empty()) {
    write_file_atomic(figure, scatter(nets));
  }
}

}  // namespace lathe::bench
