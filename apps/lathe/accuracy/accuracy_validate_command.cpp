// lathe accuracy validate: a predictor's error beside what is reached without one.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "accuracy/accuracy_samples.h"
#include "commands.h"
#include "lathe/accuracy/stored_predictor.h"
#include "lathe/accuracy/validation.h"
#include "lathe/core/error.h"
#include "lathe/space/same_net.h"

namespace lathe::app {
namespace {

struct ValidateOptions {
  std::string model;
  std::string samples;
  std::string train_samples;
  std::string space;
  bool json = false;
};

/// Leaves out the nets of --train-samples.
void keep_unseen(SpaceAndSamples& read, const ValidateOptions& options) {
  const SpaceAndSamples train = read_accuracy_samples(options.train_samples, options.space);
  if (train.space->name() != read.space->name()) {
    throw Error(options.train_samples + ": is of space " + train.space->name() + ", " +
                options.samples + " of " + read.space->name());
  }
  const std::size_t all = read.samples.size();
  read.samples = space::without_nets_of(train.samples, *read.space, std::move(read.samples));
  if (read.samples.empty()) {
    throw Error(options.samples + ": every net of it is in " + options.train_samples +
                " too; evaluate others to validate on");
  }
  if (read.samples.size() < all) {
    fmt::print(stderr, "{}: {} samples of training nets are left out\n", options.samples,
               all - read.samples.size());
  }
}

void require_covered(const accuracy::AccuracyPredictor& predictor, const SpaceAndSamples& read,
                     const ValidateOptions& options) {
  for (const accuracy::AccuracySample& sample : read.samples) {
    const int size = read.space->input_size(sample.arch);
    if (!predictor.covers(size)) {
      throw Error(options.model + ": knows nothing of input size " + std::to_string(size) +
                  ", which " + options.samples + " has nets of");
    }
  }
}

void print(const std::string& name, const accuracy::PredictorError& e) {
  fmt::print("{:<14} {:>11.3f} {:>+11.3f} {:>8.4f} {:>9.4f}\n", name, 100 * e.rmse, 100 * e.bias,
             e.kendall, e.spearman);
}

void execute(const ValidateOptions& options) {
  SpaceAndSamples read = read_accuracy_samples(options.samples, options.space);
  const auto predictor = accuracy::load_predictor(*read.space, options.model);
  if (!options.train_samples.empty()) {
    keep_unseen(read, options);
  }
  if (read.samples.empty()) {
    throw Error(options.samples + ": no samples to validate on");
  }
  require_covered(*predictor, read, options);
  const accuracy::PredictorError error = predictor_error(*predictor, read.samples);
  const auto baselines = accuracy::cross_validated_baselines(*read.space, read.samples);
  if (options.json) {
    nlohmann::ordered_json json = to_json(error);
    json["baselines"] = nullptr;
    if (baselines) json["baselines"] = to_json(*baselines);
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{} samples of {}\n{:<14} {:>11} {:>11} {:>8} {:>9}\n", read.samples.size(),
             read.space->name(), "", "RMSE points", "bias points", "Kendall", "Spearman");
  print("predictor", error);
  if (baselines) {
    print("best constant", baselines->constant);
    print("MACs alone", baselines->macs);
  } else {
    fmt::print("too few nets for baselines: they need {}\n", accuracy::kBaselineFolds);
  }
}

}  // namespace

void add_accuracy_validate_command(CLI::App& app) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* command = app.add_subcommand(
      "validate", "a predictor's error on evaluated subnets, beside what needs no predictor");
  command
      ->add_option(
          "--model", options->model,
          "accuracy predictor, Lathe's or the published one (safetensors), or width scores (JSON)")
      ->required();
  command->add_option("--samples", options->samples, "evaluated subnets, JSON lines")->required();
  command->add_option("--train-samples", options->train_samples,
                      "those that the predictor was fitted to: their nets are left out");
  add_own_space_option(*command, options->space);
  command->add_flag("--json", options->json, "one line of JSON on standard output");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
