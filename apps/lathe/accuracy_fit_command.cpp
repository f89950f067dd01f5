// lathe accuracy fit: from evaluated subnets to an accuracy predictor.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "accuracy_samples.h"
#include "commands.h"
#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/accuracy/validation.h"
#include "lathe/core/error.h"
#include "lathe/train/fit_accuracy_predictor.h"

namespace lathe::app {
namespace {

struct FitOptions {
  std::string samples;
  std::string space;
  std::string out;
  std::uint64_t seed = 0;
  bool json = false;
};

void execute(const FitOptions& options) {
  const SpaceAndSamples read = read_accuracy_samples(options.samples, options.space);
  const space::Space& space = *read.space;
  const train::FitAccuracyOptions fit_options{.seed = options.seed};
  if (read.num_nets < train::min_accuracy_nets(fit_options)) {
    throw Error(options.samples + ": an accuracy predictor needs samples of at least " +
                std::to_string(train::min_accuracy_nets(fit_options)) + " nets, got " +
                std::to_string(read.num_nets));
  }
  std::error_code ignored;
  if (std::filesystem::equivalent(options.samples, options.out, ignored)) {
    throw Error(options.out + ": holds the samples; name another file with --out");
  }
  const auto start = std::chrono::steady_clock::now();
  const accuracy::PerceptronPredictor predictor(
      space, train::fit_accuracy_predictor(space, read.samples, fit_options));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  predictor.save(options.out);
  const accuracy::PredictorFit& fit = predictor.fit();
  if (options.json) {
    const nlohmann::ordered_json json{{"out", options.out},
                                      {"space", space.name()},
                                      {"samples", read.samples.size()},
                                      {"nets", read.num_nets},
                                      {"seconds", seconds.count()},
                                      {"folds", fit_options.folds},
                                      {"rmse_points", 100 * fit.rmse},
                                      {"kendall", fit.kendall_tau}};
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("predictor of {} fitted to {} samples in {:.1f} s: {}\n", space.name(),
             read.samples.size(), seconds.count(), options.out);
  fmt::print(
      "on {} parts of the nets, each left out once: RMSE {:.2f} points, Kendall tau {:.3f}\n",
      fit_options.folds, 100 * fit.rmse, fit.kendall_tau);
}

}  // namespace

void add_accuracy_fit_command(CLI::App& app) {
  auto options = std::make_shared<FitOptions>();
  CLI::App* command = app.add_subcommand("fit", "an accuracy predictor from evaluated subnets");
  command->add_option("--samples", options->samples, "evaluated subnets, JSON lines")->required();
  command->add_option("--out", options->out, "the predictor to write (safetensors)")->required();
  add_own_space_option(*command, options->space);
  command->add_option("--seed", options->seed, "of every random choice")->capture_default_str();
  command->add_flag("--json", options->json, "one line of JSON on standard output");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
