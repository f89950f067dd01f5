// The latency prediction module of LA-DARTS on cells measured here: `lathe latency generate`'s
// samples of single cells, and of whole nets.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "latency_models.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/latency/fit/baselines.h"
#include "lathe/latency/fit/calibrate.h"
#include "lathe/space/same_net.h"
#include "lathe/space/space_file.h"
#include "lathe/train/predictors/fit_latency_model.h"

namespace lathe::bench {
namespace {

using latency::LatencySample;
using train::LatencyModelKind;

constexpr std::size_t kTest = 500;
constexpr std::size_t kCalibration = 20;

struct Measured {
  std::unique_ptr<space::Space> space;
  std::vector<LatencySample> samples;
};

Measured read(const std::filesystem::path& path) {
  const auto fingerprint = latency::fingerprint_of_samples(path);
  auto space = space::open_space(fingerprint.space, {.num_classes = fingerprint.num_classes,
                                                     .input_size = fingerprint.input_size});
  auto samples = latency::read_samples(path, *space).samples;
  return {std::move(space), std::move(samples)};
}

struct Contender {
  const char* name;
  LatencyModelKind kind;
  bool published = false;
};

constexpr Contender kContenders[] = {
    {"plain ridge", LatencyModelKind::kLinear},
    {"ridge", LatencyModelKind::kRidge},
    {"perceptron", LatencyModelKind::kPerceptron},
    {"LPM as published", LatencyModelKind::kPerceptron, true},
    {"residual", LatencyModelKind::kResidual},
};

void print_contender(const space::Space& space, std::span<const LatencySample> train,
                     std::span<const LatencySample> test, const Contender& contender) {
  train::FitLatencyOptions options;
  if (contender.published) options.perceptron = train::published_latency_perceptron();
  const auto start = std::chrono::steady_clock::now();
  const auto model = fit_latency_model(contender.kind, space, {}, train, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const auto e = model_error(*model, test);
  fmt::print("| {} | {} | {:.2f} | {:.1f} | {:.1f} | {:.4f} | {:.4f} | {:.1f} |\n", train.size(),
             contender.name, 100 * e.mape, 100 * e.within_5, 100 * e.within_10, e.spearman,
             e.kendall, seconds.count());
  std::fflush(stdout);
}

/// Milliseconds of measuring behind the samples.
double mean_cost_ms(std::span<const LatencySample> samples) {
  double sum = 0.0;
  for (const LatencySample& sample : samples) {
    for (const auto& turn : sample.rounds_ms) {
      for (const double ms : turn) sum += ms;
    }
  }
  return sum / static_cast<double>(samples.size());
}

}  // namespace

void print_measured_cells(const std::filesystem::path& path) {
  Measured cells = read(path);
  Rng rng(1);
  shuffle(std::span(cells.samples), rng);
  const std::vector<LatencySample> test(cells.samples.begin(), cells.samples.begin() + kTest);
  const std::vector<LatencySample> train = space::without_nets_of(
      test, *cells.space,
      std::vector<LatencySample>(cells.samples.begin() + kTest, cells.samples.end()));
  fmt::print(
      "\nTested on {} other cells, whose turns differ by {:.2f}%; {:.1f} ms timed a cell.\n\n",
      kTest, 100 * latency::repeatability(test).between_turns.value_or(0),
      mean_cost_ms(cells.samples));
  fmt::print(
      "| cells | model | MAPE % | within 5% | within 10% | Spearman | Kendall | fitted in s |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (const std::size_t count : {300, 1000, 2000, 5000, 10000}) {
    if (count > train.size()) break;
    for (const Contender& contender : kContenders) {
      print_contender(*cells.space, std::span(train).first(count), test, contender);
    }
  }
}

void print_cell_proxy(const std::filesystem::path& cells_path,
                      const std::filesystem::path& nets_path) {
  const Measured cells = read(cells_path);
  Measured nets = read(nets_path);
  Rng rng(1);
  shuffle(std::span(nets.samples), rng);
  if (nets.samples.size() <= kCalibration) {
    throw Error(nets_path.string() + ": needs more than " + std::to_string(kCalibration) +
                " nets to see how well cells predict them");
  }
  const auto model =
      fit_latency_model(LatencyModelKind::kResidual, *cells.space, {}, cells.samples);
  std::vector<double> of_cell, measured;
  for (const LatencySample& sample : nets.samples) {
    const auto json = nets.space->to_json(sample.arch);
    of_cell.push_back(model->predict_ms(cells.space->from_json(json, nets_path.string())));
    measured.push_back(sample.median_ms);
  }
  const auto few = std::span(nets.samples).first(kCalibration);
  const auto rest = std::span(nets.samples).subspan(kCalibration);
  const auto line = latency::fit_correction(std::span(of_cell).first(kCalibration),
                                            std::span(measured).first(kCalibration));
  for (double& ms : of_cell) ms = line.apply(ms);
  const auto own = fit_latency_model(LatencyModelKind::kRidge, *nets.space, {}, few);
  fmt::print(
      "\n{} nets of {}; {} of them for the lines and the ridge. The residual model is of {} cells "
      "of "
      "{}. {:.1f} ms timed a net, {:.1f} ms a cell.\n\n"
      "| predicted by | Spearman | Kendall | MAPE % |\n|---|---|---|---|\n",
      nets.samples.size(), nets.space->name(), kCalibration, cells.samples.size(),
      cells.space->name(), mean_cost_ms(nets.samples), mean_cost_ms(cells.samples));
  const auto print_row = [](const char* name, const latency::ModelError& e) {
    fmt::print("| {} | {:.4f} | {:.4f} | {:.2f} |\n", name, e.spearman, e.kendall, 100 * e.mape);
  };
  print_row("the residual of its normal cell, and a line",
            latency::model_error(std::span(of_cell).subspan(kCalibration),
                                 std::span(measured).subspan(kCalibration)));
  print_row("MACs, and a line", latency::baseline_errors(*nets.space, few, rest).macs_linear);
  print_row("a ridge of whole nets", model_error(*own, rest));
}

}  // namespace lathe::bench
