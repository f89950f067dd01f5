// lathe latency validate: a model's error beside what is reached without one and what the
// measurements allow.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "commands.h"
#include "latency/fitted_space.h"
#include "lathe/core/error.h"
#include "lathe/latency/fit/baselines.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/latency/samples/drift.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/space/same_net.h"

namespace lathe::app {
namespace {

struct ValidateOptions {
  std::string model;
  std::string samples;
  std::string space;
  std::string train_samples;
  TrainOptions train;
  bool json = false;
};

/// Empty where there are too few samples for any.
std::optional<latency::BaselineErrors> baselines(const space::Space& space,
                                                 const SampleSplit& samples) {
  if (samples.train.size() >= 10) {
    return latency::baseline_errors(space, samples.train, samples.rest);
  }
  if (regress::num_groups(number_nets(space, samples.rest)) >= latency::kMinCrossValidatedNets) {
    return latency::cross_validated_baselines(space, samples.rest);
  }
  return std::nullopt;
}

/// How much slower the machine was when `rest` was measured than when `train` was. Parts of one
/// file are corrected already, and nothing is left between them.
std::optional<double> machine_drift(const SampleSplit& samples, bool of_two_files) {
  if (!of_two_files) return std::nullopt;
  const auto anchors = [](const std::vector<latency::LatencySample>& of) {
    std::vector<std::vector<double>> all;
    for (const latency::LatencySample& sample : of) all.push_back(sample.anchor_ms);
    return all;
  };
  return latency::drift_between(anchors(samples.train), anchors(samples.rest));
}

/// The error, had the machine been as fast as when the model's samples were measured.
latency::ModelError without_drift(const latency::LatencyModel& model,
                                  std::vector<latency::LatencySample> samples, double drift) {
  for (latency::LatencySample& sample : samples) sample.median_ms /= drift;
  return model_error(model, samples);
}

/// What to validate on, and what the model was fitted to as far as that was said.
SampleSplit samples_of(const space::Space& space, const ValidateOptions& options) {
  auto samples = read_whole_samples(options.samples, space).samples;
  if (!options.train_samples.empty()) {
    SampleSplit result = split(space, read_whole_samples(options.train_samples, space).samples,
                               options.train, options.train_samples);
    const std::size_t all = samples.size();
    result.rest = space::without_nets_of(result.train, space, std::move(samples));
    if (result.rest.empty() && all > 0) {
      throw Error(options.samples + ": every net of it is in " + options.train_samples +
                  " too; measure others to validate on");
    }
    if (result.rest.size() < all) {
      fmt::print(stderr, "{}: {} samples of training nets are left out\n", options.samples,
                 all - result.rest.size());
    }
    return result;
  }
  if (options.train.train_count > 0) {
    SampleSplit result = split(space, std::move(samples), options.train, options.samples);
    if (result.rest.empty()) {
      throw Error(options.samples +
                  ": --train-count leaves no sample to validate on that is no training net");
    }
    return result;
  }
  return {.train = {}, .rest = std::move(samples)};
}

void print(const std::string& name, const latency::ModelError& e) {
  fmt::print("{:<12} {:>8.2f} {:>10.4g} {:>9.1f} {:>10.1f} {:>9.4f} {:>8.4f}\n", name, 100 * e.mape,
             e.rmse_ms, 100 * e.within_5, 100 * e.within_10, e.spearman, e.kendall);
}

void print_floor(const latency::Repeatability& floor) {
  if (floor.between_runs) {
    fmt::print(
        "repeatability: nets measured again differ so that no model can be below {:.2f}% "
        "({} nets)\n",
        100 * *floor.between_runs, floor.repeated_nets);
  } else if (floor.between_turns) {
    fmt::print(
        "repeatability: turns of a net differ so that no model can be below {:.2f}%; no net was "
        "measured twice\n",
        100 * *floor.between_turns);
  } else if (floor.within_run) {
    fmt::print(
        "repeatability: the medians' own uncertainty is {:.2f}%; no net was measured twice\n",
        100 * *floor.within_run);
  } else {
    fmt::print(
        "repeatability: unknown, the samples are single runs and no net was measured "
        "twice\n");
  }
}

void execute(const ValidateOptions& options) {
  const auto fingerprint = latency::fingerprint_of_model(options.model);
  const auto space = space_of(fingerprint, options.space, options.model);
  const auto model = latency::load_latency_model(*space, options.model);
  const auto measured = latency::fingerprint_of_samples(options.samples);
  if (const auto reason = latency::difference(fingerprint, measured)) {
    fmt::print(stderr, "{}: measured under other conditions than the model: {}\n", options.samples,
               *reason);
  }
  const SampleSplit samples = samples_of(*space, options);
  if (samples.rest.empty()) {
    throw Error(options.samples + ": no samples to validate on");
  }
  const latency::ModelError error = model_error(*model, samples.rest);
  const auto floor = latency::repeatability(samples.rest);
  const auto others = baselines(*space, samples);
  const auto drift = machine_drift(samples, !options.train_samples.empty());
  if (options.json) {
    nlohmann::ordered_json json = to_json(error);
    json["drift"] = nullptr;
    if (drift) {
      json["drift"] = {{"factor", *drift},
                       {"without", to_json(without_drift(*model, samples.rest, *drift))}};
    }
    json["repeatability"] = to_json(floor);
    json["baselines"] = nullptr;
    if (others) json["baselines"] = to_json(*others);
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{} samples of {}\n{:<12} {:>8} {:>10} {:>9} {:>10} {:>9} {:>8}\n",
             samples.rest.size(), space->name(), "", "MAPE %", "RMSE ms", "within 5%", "within 10%",
             "Spearman", "Kendall");
  print("model", error);
  if (drift) {
    print("drift undone", without_drift(*model, samples.rest, *drift));
  }
  if (others) {
    print("mean", others->mean);
    print("MACs-linear", others->macs_linear);
    print("plain ridge", others->ridge);
    fmt::print("the last three are fitted to {}\n",
               samples.train.empty() ? "nine tenths of these samples at a time"
                                     : fmt::format("{} samples", samples.train.size()));
  }
  if (drift) {
    fmt::print(
        "drift: the anchor took {:+.1f}% against the training samples; the second line has that "
        "undone\n",
        100 * (*drift - 1));
  }
  print_floor(floor);
}

}  // namespace

void add_latency_validate_command(CLI::App& app) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* command = app.add_subcommand(
      "validate", "a model's error on measured nets, beside baselines and repeatability");
  command->add_option("--model", options->model, "latency model")->required();
  command->add_option("--samples", options->samples, "measured nets, JSON lines")->required();
  command->add_option(
      "--train-samples", options->train_samples,
      "those that the model was fitted to: left out, and the baselines get the same");
  add_own_space_option(*command, options->space);
  add_train_options(*command, options->train);
  command->get_option("--train-count")
      ->description("as given to fit: those samples are left out, the baselines fitted to them");
  command->add_flag("--json", options->json, "one line of JSON on standard output");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
