// lathe latency adapt: one device's model made another's.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "latency/fitted_space.h"
#include "lathe/core/error.h"
#include "lathe/latency/fit/adapt.h"

namespace lathe::app {
namespace {

struct AdaptOptions {
  std::string model;
  std::string samples;
  std::string space;
  std::string out;
  TrainOptions train;
};

void execute(const AdaptOptions& options) {
  const auto device = latency::fingerprint_of_samples(options.samples);
  const auto space = space_of(device, options.space, options.samples);
  const auto model = latency::load_latency_model(*space, options.model);
  const SampleSplit samples = split(*space, read_whole_samples(options.samples, *space).samples,
                                    options.train, options.samples);
  if (samples.train.size() < latency::kMinAdaptSamples) {
    throw Error(options.samples + ": adapting needs at least " +
                std::to_string(latency::kMinAdaptSamples) + " samples, got " +
                std::to_string(samples.train.size()));
  }
  const auto adapted = latency::adapt(*model, *space, device, samples.train);
  const auto judge = [&](const char* name, const latency::LatencyModel& m) {
    const latency::ModelError error = model_error(m, samples.rest);
    fmt::print("{}: MAPE {:.2f}%, Spearman {:.4f} on the {} other samples\n", name,
               100 * error.mape, error.spearman, error.samples);
    return error;
  };
  if (samples.rest.size() >= 20) {
    judge("before", *model);
    adapted->set_validation(judge("after", *adapted));
  }
  adapted->save(options.out);
  fmt::print("{} adapted with {} samples of {}: {}\n", options.model, samples.train.size(),
             device.device, options.out);
}

}  // namespace

void add_latency_adapt_command(CLI::App& app) {
  auto options = std::make_shared<AdaptOptions>();
  CLI::App* command =
      app.add_subcommand("adapt", "a model of one device made another's, from 10 to 50 nets");
  command->add_option("--model", options->model, "latency model of the first device")->required();
  command->add_option("--samples", options->samples, "nets measured on the second, JSON lines")
      ->required();
  command->add_option("--out", options->out, "the latency model to write")->required();
  add_own_space_option(*command, options->space);
  add_train_options(*command, options->train);
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
