// NAS-Bench-201 cells on four devices (HELP, nasbench201_cells.csv): no space of Lathe's, so the
// regressors alone, on the one-hot of six edges with five operations each.
#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <charconv>
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
#include "lathe/latency/fit/validation.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/regress/ridge.h"
#include "lathe/train/predictors/latency_perceptron.h"

namespace lathe::bench {
namespace {

using Eigen::Index;

constexpr std::array<std::string_view, 5> kOps = {"none", "skip_connect", "nor_conv_1x1",
                                                  "nor_conv_3x3", "avg_pool_3x3"};
constexpr int kBits = 30;
constexpr double kLeastOfMean = 0.1;

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
  std::string text = read_file(path);
  std::erase(text, '\r');
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
  // Errors count relatively, but not those of nets that a device hardly executes: pixel3 takes 3 us
  // for cells that don't reach their output.
  const double least = kLeastOfMean * y.mean();
  const regress::RidgeFit fit =
      regress::fit_ridge(x, y, y.cwiseMax(least).cwiseAbs2().cwiseInverse());
  std::vector<double> predicted;
  for (const Cell& cell : all) {
    predicted.push_back(fit.constant + std::inner_product(cell.bits.begin(), cell.bits.end(),
                                                          fit.weights.begin(), 0.0));
  }
  return predicted;
}

std::vector<float> inputs_of(std::span<const Cell> cells) {
  std::vector<float> inputs;
  for (const Cell& cell : cells) inputs.insert(inputs.end(), cell.bits.begin(), cell.bits.end());
  return inputs;
}

std::vector<double> measured(std::span<const Cell> cells, std::size_t device) {
  std::vector<double> ms;
  for (const Cell& cell : cells) ms.push_back(cell.ms[device]);
  return ms;
}

/// `base_ms` and what the perceptron says of each cell.
std::vector<double> sum(std::vector<double> base_ms, const train::ScaledPerceptron& fit,
                        std::span<const float> inputs) {
  const std::vector<float> outputs = fit.perceptron.predict(inputs);
  for (std::size_t i = 0; i < base_ms.size(); ++i) base_ms[i] += fit.to_ms(outputs[i]);
  return base_ms;
}

std::vector<double> perceptron(std::span<const Cell> all, std::size_t count, std::size_t device) {
  const std::vector<float> inputs = inputs_of(all);
  const auto fit = train::fit_scaled_perceptron(std::span(inputs).first(count * kBits),
                                                measured(all.first(count), device),
                                                train::fast_latency_perceptron(count));
  return sum(std::vector<double>(all.size()), fit, inputs);
}

/// What a ridge of the others predicts for each fifth of `train`. Every cell is there once.
std::vector<double> out_of_fold(std::span<const Cell> train, std::size_t device) {
  std::vector<std::size_t> groups(train.size());
  std::iota(groups.begin(), groups.end(), std::size_t{0});
  const auto folds = regress::grouped_folds(groups, /*folds=*/5);
  return regress::out_of_fold(std::span(folds), [&](std::span<const std::size_t> chosen) {
    return [all = ridge(regress::at_indices(train, chosen), train, device)](std::size_t i) {
      return all[i];
    };
  });
}

std::vector<double> residual(std::span<const Cell> all, std::size_t count, std::size_t device,
                             std::vector<double> ridge_ms) {
  const auto train = all.first(count);
  const std::vector<float> inputs = inputs_of(all);
  const auto fit = train::fit_residual_perceptron(
      std::span(inputs).first(count * kBits), measured(train, device), out_of_fold(train, device),
      train::fast_latency_perceptron(count));
  return sum(std::move(ridge_ms), fit, inputs);
}

void print_row(const std::string& device, std::size_t count, const char* model,
               std::span<const latency::ModelError> errors) {
  const auto median_of = [&](double latency::ModelError::*figure) {
    std::vector<double> values;
    for (const latency::ModelError& error : errors) values.push_back(error.*figure);
    return median(values);
  };
  using E = latency::ModelError;
  fmt::print("| {} | {} | {} | {:.2f} | {:.1f} | {:.1f} | {:.4f} | {:.4f} |\n", device, count,
             model, 100 * median_of(&E::mape), 100 * median_of(&E::within_5),
             100 * median_of(&E::within_10), median_of(&E::spearman), median_of(&E::kendall));
  std::fflush(stdout);
}

}  // namespace

void print_cell_errors(const std::filesystem::path& data, int splits) {
  const Table table = read(data / "nasbench201_cells.csv");
  fmt::print(
      "\nMedians of {} splits, tested on all other cells.\n\n"
      "| device | samples | model | MAPE % | within 5% | within 10% | Spearman | Kendall |\n"
      "|---|---|---|---|---|---|---|---|\n",
      splits);
  for (std::size_t device = 0; device < table.devices.size(); ++device) {
    for (const std::size_t count : {300, 1000, 4000}) {
      std::vector<latency::ModelError> errors[3];
      for (int s = 0; s < splits; ++s) {
        std::vector<Cell> all = table.cells;
        Rng rng = Rng::derived(1, {static_cast<std::uint64_t>(s)});
        shuffle(std::span(all), rng);
        const auto linear = ridge(std::span(all).first(count), all, device);
        const std::vector<double> predicted[] = {linear, perceptron(all, count, device),
                                                 residual(all, count, device, linear)};
        for (std::size_t m = 0; m < 3; ++m) {
          errors[m].push_back(
              latency::model_error(std::span(predicted[m]).subspan(count),
                                   measured(std::span(all).subspan(count), device)));
        }
      }
      print_row(table.devices[device], count, "ridge", errors[0]);
      print_row(table.devices[device], count, "perceptron", errors[1]);
      print_row(table.devices[device], count, "residual", errors[2]);
    }
  }
}

}  // namespace lathe::bench
