// Solvers over chains: how long they take, how that grows, and what the Lagrangian loses.
//   lathe_chain_search_bench [--plot growth.svg] [--write-chain chain.json]
//   lathe_chain_search_bench fitted --latency MODEL.json --accuracy SCORES.json...
// Without `fitted` the tables are made up: latency is nearly a power of the widths on both sides of
// an edge, error falls with the width, both with noise. Times are medians of this thread's
// processor time, so that other processes disturb them little. Exit code 1: an answer disagrees
// with its check.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>

#include "fitted.h"
#include "growth_plot.h"
#include "lagrangian_loss.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/search/chain/forward_backward.h"
#include "lathe/search/chain/k_best.h"
#include "lathe/search/chain/lagrangian.h"
#include "lathe/search/chain/pareto_front.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/min_sum.h"

namespace lathe::bench {
namespace {

using search::ParetoFront;
using space::Trellis;

constexpr int kSeeds = 5;

struct Tables {
  std::vector<std::vector<double>> widths;  // of each layer
  Trellis trellis;
  std::vector<double> error;
  std::vector<double> latency;
};

Trellis trellis_of(const std::vector<std::vector<double>>& widths) {
  std::vector<std::uint32_t> sizes{1};
  for (const auto& layer : widths) {
    sizes.push_back(static_cast<std::uint32_t>(layer.size()));
  }
  sizes.push_back(1);
  std::vector<std::vector<space::Transition>> steps(sizes.size() - 1);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (std::uint32_t to = 0; to < sizes[s + 1]; ++to) {
      for (std::uint32_t from = 0; from < sizes[s]; ++from) {
        steps[s].push_back({.from = from, .to = to});
      }
    }
  }
  return {sizes, steps};
}

/// `grid` > 0: latencies are whole multiples of it.
Tables tables_of(std::vector<std::vector<double>> widths, std::uint64_t seed, double grid = 0) {
  Tables tables{.widths = widths, .trellis = trellis_of(widths), .error = {}, .latency = {}};
  Rng rng(seed);
  std::vector<std::vector<double>> error{{}};
  for (const auto& layer : widths) {
    error.emplace_back();
    for (const double width : layer) {
      error.back().push_back(0.02 * std::pow(layer.back() / width, 0.7) *
                             (1 + 0.1 * rng.uniform()));
    }
  }
  for (std::size_t s = 0; s < tables.trellis.num_steps(); ++s) {
    for (std::uint32_t t = tables.trellis.first_transition(s);
         t < tables.trellis.first_transition(s + 1); ++t) {
      const space::Transition& way = tables.trellis.transition(t);
      const std::size_t from = way.from - tables.trellis.first_state(s);
      const std::size_t to = way.to - tables.trellis.first_state(s + 1);
      const bool last = s == widths.size();
      const double before = s == 0 ? 1.0 : widths[s - 1][from] / widths[s - 1].back();
      const double after = last ? 1.0 : widths[s][to] / widths[s].back();
      const double ms = (0.2 + std::pow(before * after, 0.9)) * (0.9 + 0.2 * rng.uniform());
      tables.latency.push_back(grid > 0 ? grid * std::round(ms / grid) : ms);
      tables.error.push_back(last ? 0.0 : error[s + 1][to]);
    }
  }
  return tables;
}

std::vector<std::vector<double>> mobilenet_widths() {
  const auto space = space::make_space("mobilenet_v1_widths");
  std::vector<std::vector<double>> widths;
  for (const space::Decision& decision : space->decisions()) {
    widths.push_back(decision.values);
  }
  return widths;
}

std::vector<std::vector<double>> even_widths(std::size_t layers, std::size_t count) {
  std::vector<double> layer;
  for (std::size_t i = 0; i < count; ++i) {
    layer.push_back(0.2 + 1.3 * static_cast<double>(i) / static_cast<double>(count - 1));
  }
  return std::vector<std::vector<double>>(layers, layer);
}

LagrangianLoss loss_of(const Tables& tables, const ParetoFront& front) {
  return lagrangian_loss(tables.trellis, tables.error, tables.latency, front);
}

bool print_times() {
  bool all_agree = true;
  fmt::print("mobilenet_v1_widths, tables made up, medians over {} tables\n", kSeeds);
  std::vector<double> viterbi, sum_product, best_100, relaxed, front_ms, labels, points;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Tables tables = tables_of(mobilenet_widths(), static_cast<std::uint64_t>(seed));
    const ParetoFront front(tables.trellis, tables.error, tables.latency);
    all_agree = all_agree && front.exact() && loss_of(tables, front).consistent;
    viterbi.push_back(median_ms(500, [&] { space::min_sum(tables.trellis, tables.latency); }));
    sum_product.push_back(
        median_ms(50, [&] { search::ForwardBackward(tables.trellis, tables.error); }));
    best_100.push_back(median_ms(20, [&] { search::k_best(tables.trellis, tables.error, 100); }));
    const std::vector<double> targets = targets_of(front);
    relaxed.push_back(median_ms(3,
                                [&] {
                                  for (const double target : targets) {
                                    search::lagrangian_search(tables.trellis, tables.error,
                                                              tables.latency, target);
                                  }
                                }) /
                      kTargets);
    front_ms.push_back(
        median_ms(5, [&] { ParetoFront(tables.trellis, tables.error, tables.latency); }));
    labels.push_back(static_cast<double>(front.num_labels()));
    points.push_back(static_cast<double>(front.points().size()));
  }
  const Tables tables = tables_of(mobilenet_widths(), 0);
  fmt::print("{} transitions\n", tables.trellis.num_transitions());
  fmt::print("Viterbi                        {:10.2f} us\n", 1e3 * median(viterbi));
  fmt::print("forward-backward               {:10.2f} us\n", 1e3 * median(sum_product));
  fmt::print("100 best paths                 {:10.2f} us\n", 1e3 * median(best_100));
  fmt::print("Lagrangian, one target         {:10.2f} us\n", 1e3 * median(relaxed));
  fmt::print("exact front, all targets       {:10.2f} ms  ({} labels, {} points)\n",
             median(front_ms), median(labels), median(points));
  fmt::print("answers agree: {}\n\n", all_agree ? "yes" : "NO");
  return all_agree;
}

void print_lagrangian() {
  fmt::print(
      "Lagrangian beside the exact front, {} targets over the front's latencies\n"
      "table | exact answers | budget unused: optimum, Lagrangian (most) | error above the "
      "optimum, mean (most)\n",
      kTargets);
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Tables tables = tables_of(mobilenet_widths(), static_cast<std::uint64_t>(seed));
    const ParetoFront front(tables.trellis, tables.error, tables.latency);
    const LagrangianLoss loss = loss_of(tables, front);
    std::vector<double> above;
    for (std::size_t i = 0; i < loss.above.size(); ++i) {
      above.push_back(loss.above[i] / loss.optimum[i]);
    }
    fmt::print("{:5} | {:13} | {:.3f}%, {:.3f}% ({:.2f}%) | {:.3f}% ({:.2f}%)\n", seed, loss.exact,
               100 * mean(loss.unused_by_optimum), 100 * mean(loss.unused),
               100 * std::ranges::max(loss.unused), 100 * mean(above),
               100 * std::ranges::max(above));
  }
  fmt::print("\n");
}

/// Milliseconds of the exact front.
double front_ms(const Tables& tables, const std::string& name) {
  const ParetoFront front(tables.trellis, tables.error, tables.latency);
  const double ms =
      median_ms(3, [&] { ParetoFront(tables.trellis, tables.error, tables.latency); });
  fmt::print("{:<34} {:>9.2f} ms, {:>8} labels, {:>6} points{}\n", name, ms, front.num_labels(),
             front.points().size(), front.exact() ? "" : ", in bins");
  return ms;
}

std::vector<GrowthSeries> print_growth() {
  GrowthSeries layers{.name = "layers (14 widths)", .points = {}};
  for (const std::size_t count : {4, 7, 14, 28, 42}) {
    const std::string name = fmt::format("{} layers, 14 widths", count);
    layers.points.emplace_back(count, front_ms(tables_of(even_widths(count, 14), 1), name));
  }
  GrowthSeries widths{.name = "widths (14 layers)", .points = {}};
  for (const std::size_t count : {3, 7, 14, 28}) {
    const std::string name = fmt::format("14 layers, {} widths", count);
    widths.points.emplace_back(count, front_ms(tables_of(even_widths(14, count), 1), name));
  }
  GrowthSeries precision{.name = "latencies / greatest", .points = {}};
  for (const double steps : {10.0, 100.0, 1000.0, 10000.0}) {
    const std::string name = fmt::format("14 x 14, latencies to 1/{}", steps);
    precision.points.emplace_back(steps,
                                  front_ms(tables_of(even_widths(14, 14), 1, 1 / steps), name));
  }
  return {layers, widths, precision};
}

/// What `lathe search --chain` reads: the last node is the end.
void write_chain(const std::string& path) {
  const Tables tables = tables_of(mobilenet_widths(), 0);
  const std::size_t layers = tables.widths.size();
  nlohmann::ordered_json states{1};
  nlohmann::ordered_json error{{0}};
  nlohmann::ordered_json latency = nlohmann::ordered_json::array();
  for (std::size_t s = 0; s <= layers; ++s) {
    const std::uint32_t before = tables.trellis.layer_size(s);
    const std::uint32_t after = tables.trellis.layer_size(s + 1);
    nlohmann::ordered_json row = nlohmann::ordered_json::array();
    nlohmann::ordered_json table = nlohmann::ordered_json::array();
    for (std::uint32_t from = 0; from < before; ++from) {
      table.push_back(nlohmann::ordered_json::array());
      for (std::uint32_t to = 0; to < after; ++to) {
        table.back().push_back(
            tables.latency[tables.trellis.first_transition(s) + to * before + from]);
      }
    }
    for (std::uint32_t to = 0; to < after; ++to) {
      row.push_back(tables.error[tables.trellis.first_transition(s) + to * before]);
    }
    states.push_back(after);
    error.push_back(row);
    latency.push_back(table);
  }
  write_file_atomic(
      path,
      nlohmann::ordered_json{{"states", states}, {"error", error}, {"latency_ms", latency}}.dump() +
          "\n");
}

}  // namespace
}  // namespace lathe::bench

int main(int argc, char** argv) {
  CLI::App app("Solvers over chains");
  std::string plot;
  std::string chain;
  app.add_option("--plot", plot, "SVG file: how the exact front's time grows");
  app.add_option("--write-chain", chain, "JSON file of the first table, for lathe search --chain");
  std::filesystem::path latency;
  std::vector<std::filesystem::path> scores;
  CLI::App* fitted =
      app.add_subcommand("fitted", "of fitted models in the place of made-up tables");
  fitted->add_option("--latency", latency, "latency model that lathe wrote")->required();
  fitted->add_option("--accuracy", scores, "width scores, one file or more")->required();
  CLI11_PARSE(app, argc, argv);
  try {
    if (fitted->parsed()) {
      return lathe::bench::print_fitted(latency, scores) ? 0 : 1;
    }
    if (!chain.empty()) {
      lathe::bench::write_chain(chain);
    }
    const bool agree = lathe::bench::print_times();
    lathe::bench::print_lagrangian();
    const auto growth = lathe::bench::print_growth();
    if (!plot.empty()) {
      lathe::write_file_atomic(plot, lathe::bench::growth_svg("Time of the exact front",
                                                              "layers, widths, or steps", growth));
    }
    return agree ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
