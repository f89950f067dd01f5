// lathe accuracy fit: from evaluated subnets to an accuracy predictor.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "accuracy/accuracy_samples.h"
#include "commands.h"
#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/accuracy/width_scores.h"
#include "lathe/core/error.h"
#include "lathe/train/predictors/fit_accuracy_predictor.h"

namespace lathe::app {
namespace {

struct FitOptions {
  std::string samples;
  std::string scores;
  std::string space;
  std::string out;
  std::uint64_t seed = 0;
  bool json = false;
};

/// What is printed of a fit.
struct Figures {
  std::string of;  ///< for people: what was fitted, and what the errors are of
  std::string error;
  double rmse = 0;
  double kendall_tau = 0;
};

Figures fit_perceptron(const FitOptions& options, const SpaceAndSamples& read) {
  const train::FitAccuracyOptions fit_options{.seed = options.seed};
  if (read.num_nets < train::min_accuracy_nets(fit_options)) {
    throw Error(options.samples + ": an accuracy predictor needs samples of at least " +
                std::to_string(train::min_accuracy_nets(fit_options)) + " nets, got " +
                std::to_string(read.num_nets));
  }
  const accuracy::PerceptronPredictor predictor(
      *read.space, train::fit_accuracy_predictor(*read.space, read.samples, fit_options));
  predictor.save(options.out);
  return {.of = "predictor",
          .error = fmt::format("{} parts of the nets, each left out once", fit_options.folds),
          .rmse = predictor.fit().rmse,
          .kendall_tau = predictor.fit().kendall_tau};
}

Figures fit_line(const FitOptions& options, const SpaceAndSamples& read) {
  constexpr std::size_t kFewestNets = 3;
  if (read.num_nets < kFewestNets) {
    throw Error(options.samples + ": a line through scores needs samples of at least " +
                std::to_string(kFewestNets) + " nets, got " + std::to_string(read.num_nets));
  }
  const auto scores =
      accuracy::WidthScores::load(*read.space, options.scores).calibrated(read.samples);
  scores.save(options.out);
  return {.of = "line through scores of widths",
          .error = "those samples",
          .rmse = scores.calibration()->rmse,
          .kendall_tau = scores.calibration()->kendall_tau};
}

void execute(const FitOptions& options) {
  const SpaceAndSamples read = read_accuracy_samples(options.samples, options.space);
  std::error_code ignored;
  for (const std::string& input : {options.samples, options.scores}) {
    if (std::filesystem::equivalent(input, options.out, ignored)) {
      throw Error(options.out + ": is read here; name another file with --out");
    }
  }
  const auto start = std::chrono::steady_clock::now();
  const Figures fit =
      options.scores.empty() ? fit_perceptron(options, read) : fit_line(options, read);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (options.json) {
    const nlohmann::ordered_json json{{"out", options.out},
                                      {"space", read.space->name()},
                                      {"samples", read.samples.size()},
                                      {"nets", read.num_nets},
                                      {"seconds", seconds.count()},
                                      {"rmse_points", 100 * fit.rmse},
                                      {"kendall", fit.kendall_tau}};
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{} of {} fitted to {} samples in {:.1f} s: {}\n", fit.of, read.space->name(),
             read.samples.size(), seconds.count(), options.out);
  fmt::print("on {}: RMSE {:.2f} points, Kendall tau {:.3f}\n", fit.error, 100 * fit.rmse,
             fit.kendall_tau);
}

}  // namespace

void add_accuracy_fit_command(CLI::App& app) {
  auto options = std::make_shared<FitOptions>();
  CLI::App* command = app.add_subcommand("fit", "an accuracy predictor from evaluated subnets");
  command->add_option("--samples", options->samples, "evaluated subnets, JSON lines")->required();
  command
      ->add_option("--scores", options->scores,
                   "scores of widths (JSON): what is fitted is a line from them to accuracies")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--out", options->out,
                   "the predictor to write: safetensors, or with --scores JSON")
      ->required();
  add_own_space_option(*command, options->space);
  command->add_option("--seed", options->seed, "of every random choice")->capture_default_str();
  command->add_flag("--json", options->json, "one line of JSON on standard output");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
