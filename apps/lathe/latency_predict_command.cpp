// lathe latency predict: what a latency model says of nets.
#include <memory>

#include "commands.h"
#include "lathe/core/error.h"
#include "lathe/latency/stored_model.h"
#include "lathe/search/models.h"
#include "predict_options.h"

namespace lathe::app {
namespace {

/// Without --space the model says what it is for.
void complete(const std::string& path, SpaceOptions& space, space::TaskOverrides& overrides) {
  if (!space.name.empty()) {
    return;
  }
  if (search::are_ofa_tables(path)) {
    throw Error(path + ": published tables don't name their space: give it with --space");
  }
  const auto fingerprint = latency::fingerprint_of_model(path);
  space.name = fingerprint.space;
  const space::Task usual = space::open_space(space.name)->task();
  if (space.classes == 0) {
    overrides.num_classes = fingerprint.num_classes;
  }
  overrides.in_channels = fingerprint.in_channels;
  if (fingerprint.input_size != usual.input_size && !overrides.input_size) {
    overrides.input_size = fingerprint.input_size;
  }
}

void execute(PredictOptions options) {
  space::TaskOverrides overrides = options.space.overrides();
  complete(options.model, options.space, overrides);
  const search::Models models =
      search::load_models(options.space.name, overrides, {.latency = options.model});
  print_predictions(options, *models.space, "latency_ms",
                    [&](const std::vector<space::Arch>& archs) {
                      std::vector<double> latencies_ms(archs.size());
                      models.latency->predict_ms(archs, latencies_ms);
                      return latencies_ms;
                    });
}

}  // namespace

void add_latency_predict_command(CLI::App& app) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = app.add_subcommand("predict", "milliseconds of nets, as a model has them");
  add_predict_options(*command, *options,
                      "latency model; or published tables, a folder of *_lookup_table.yaml or one "
                      ".yaml file");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
