// NAS-Bench-201 cells on four devices (HELP, nasbench201_cells.csv): no space of Lathe's, so the
// regressors alone, on the one-hot of six edges with five operations each.
#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "latency_models.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/regress/ridge.h"
#include "lathe/train/fit_latency_model.h"

namespace lathe::bench {
namespace {

using Eigen::Index;

constexpr std::array<std::string_view, 5> kOps = {"none", "skip_connect", "nor_conv_1x1",
                                                  "nor_conv_3x3", "avg_pool_3x3"};
constexpr int kBits = 30;

struct Cell {
  std::array<float, kBits> bits{};
  std::vector<double> ms;
};

struct Table {
  std::vector<std::string> devices;
  std::vector<Cell> cells;
};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

Cell cell_of(std::string_view line) {
  const std::vector<std::string_view> cells = split(line, ',');
  Cell cell;
  std::size_t edge = 0;
  for (const std::string_view part : split(cells.at(0), '|')) {
    const auto op = std::ranges::find(kOps, part.substr(0, part.find('~')));
    if (op != kOps.end()) {
      cell.bits.at(5 * edge++ + static_cast<std::size_t>(op - kOps.begin())) = 1.0F;
    }
  }
  if (edge != 6) {
    throw Error("a cell must have 6 edges: " + std::string(line));
  }
  for (std::size_t i = 1; i < cells.size(); ++i) {
    double ms = 0.0;
    std::from_chars(cells[i].data(), cells[i].data() + cells[i].size(), ms);
    cell.ms.push_back(ms);
  }
  return cell;
}

Table read(const std::filesystem::path& path) {
  Table table;
  const std::string text = read_file(path);
  for (const std::string_view line : split(text, '\n')) {
    if (table.devices.empty()) {
      for (const std::string_view name : split(line, ',')) table.devices.emplace_back(name);
      table.devices.erase(table.devices.begin());
    } else if (!line.empty()) {
      table.cells.push_back(cell_of(line));
    }
  }
  return table;
}

std::vector<double> ridge(std::span<const Cell> train, std::span<const Cell> all,
                          std::size_t device) {
  Eigen::MatrixXd x(static_cast<Index>(train.size()), kBits);
  Eigen::VectorXd y(x.rows());
  for (Index i = 0; i < x.rows(); ++i) {
    const Cell& cell = train[static_cast<std::size_t>(i)];
    for (Index b = 0; b < kBits; ++b) x(i, b) = cell.bits[static_cast<std::size_t>(b)];
    y[i] = cell.ms[device];
  }
  const regress::RidgeFit fit = regress::fit_ridge(x, y, y.cwiseAbs2().cwiseInverse());
  std::vector<double> predicted;
  for (const Cell& cell : all) {
    predicted.push_back(fit.constant + std::inner_product(cell.bits.begin(), cell.bits.end(),
                                                          fit.weights.begin(), 0.0));
  }
  return predicted;
}

/// `base` plus a perceptron for what it leaves of the first `count` cells.
std::vector<double> perceptron(std::span<const Cell> all, std::size_t count, std::size_t device,
                               std::vector<double> base) {
  std::vector<float> inputs;
  std::vector<double> rest;
  for (std::size_t i = 0; i < all.size(); ++i) {
    inputs.insert(inputs.end(), all[i].bits.begin(), all[i].bits.end());
    if (i < count) rest.push_back(all[i].ms[device] - base[i]);
  }
  const double center = mean(rest);
  double squares = 0.0;
  for (const double ms : rest) squares += (ms - center) * (ms - center);
  const double scale = std::sqrt(squares / static_cast<double>(count));
  std::vector<float> targets;
  for (const double ms : rest) targets.push_back(static_cast<float>((ms - center) / scale));
  const auto net = train::fit_perceptron(std::span(inputs).first(count * kBits), targets,
                                         train::fast_latency_perceptron(count));
  const std::vector<float> predicted = net.predict(inputs);
  for (std::size_t i = 0; i < all.size(); ++i) {
    base[i] += center + scale * static_cast<double>(predicted[i]);
  }
  return base;
}

double error_of(std::span<const double> predicted, std::span<const Cell> all, std::size_t count,
                std::size_t device) {
  std::vector<double> measured;
  for (const Cell& cell : all.subspan(count)) measured.push_back(cell.ms[device]);
  return 100 * mean_absolute_percentage_error(predicted.subspan(count), measured);
}

}  // namespace

void print_cell_errors(const std::filesystem::path& data, int splits) {
  const Table table = read(data / "nasbench201_cells.csv");
  fmt::print(
      "\nMAPE in %, median of {} splits, tested on all other cells.\n\n"
      "| device | samples | ridge | perceptron | residual |\n|---|---|---|---|---|\n",
      splits);
  for (std::size_t device = 0; device < table.devices.size(); ++device) {
    for (const std::size_t count : {300, 1000, 4000}) {
      std::vector<double> errors[3];
      for (int s = 0; s < splits; ++s) {
        std::vector<Cell> all = table.cells;
        Rng rng = Rng::derived(1, {static_cast<std::uint64_t>(s)});
        shuffle(std::span(all), rng);
        const auto linear = ridge(std::span(all).first(count), all, device);
        const std::vector<double> nothing(all.size(), 0.0);
        errors[0].push_back(error_of(linear, all, count, device));
        errors[1].push_back(error_of(perceptron(all, count, device, nothing), all, count, device));
        errors[2].push_back(error_of(perceptron(all, count, device, linear), all, count, device));
      }
      fmt::print("| {} | {} | {:.2f} | {:.2f} | {:.2f} |\n", table.devices[device], count,
                 median(errors[0]), median(errors[1]), median(errors[2]));
      std::fflush(stdout);
    }
  }
}

}  // namespace lathe::bench
