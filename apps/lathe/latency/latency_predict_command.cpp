// lathe latency predict: what a latency model says of nets.
#include <memory>

#include "commands.h"
#include "lathe/core/error.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/search/models.h"
#include "options/predict_options.h"

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
  if (space.in_channels == 0) {
    overrides.in_channels = fingerprint.in_channels;
  }
  if (fingerprint.input_size != usual.input_size && !overrides.input_size) {
    overrides.input_size = fingerprint.input_size;
  }
}

std::vector<Answer> answers(const latency::LatencyModel& model,
                            const std::vector<space::Arch>& archs) {
  std::vector<double> latencies_ms(archs.size());
  model.predict_ms(archs, latencies_ms);
  std::vector<Answer> result;
  for (const double ms : latencies_ms) {
    result.push_back({{"latency_ms", ms}});
  }
  return result;
}

/// Adds how sure the model of `path` is.
void add_certainty(const space::Space& space, const std::string& path,
                   const std::vector<space::Arch>& archs, std::vector<Answer>& answers) {
  const std::vector<latency::Certainty> certainty =
      latency::load_latency_model(space, path)->certainty(archs);
  if (certainty.size() != archs.size()) {
    throw Error(path +
                ": --certainty: the model doesn't know how sure it is; an additive one does "
                "(lathe latency fit --model additive)");
  }
  for (std::size_t i = 0; i < archs.size(); ++i) {
    answers[i]["deviation_ms"] = certainty[i].deviation_ms;
    answers[i]["identifiable"] = certainty[i].identifiable;
  }
}

void execute(PredictOptions options, bool certainty) {
  space::TaskOverrides overrides = options.space.overrides();
  complete(options.model, options.space, overrides);
  const search::Models models =
      search::load_models(options.space.name, overrides, {.latency = options.model});
  print_predictions(options, *models.space, [&](const std::vector<space::Arch>& archs) {
    std::vector<Answer> result = answers(*models.latency, archs);
    if (certainty) {
      add_certainty(*models.space, options.model, archs, result);
    }
    return result;
  });
}

}  // namespace

void add_latency_predict_command(CLI::App& app) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = app.add_subcommand("predict", "milliseconds of nets, as a model has them");
  add_predict_options(*command, *options,
                      "latency model; or published tables, a folder of *_lookup_table.yaml or one "
                      ".yaml file");
  auto certainty = std::make_shared<bool>(false);
  command->add_flag("--certainty", *certainty,
                    "of an additive model, in JSON: the estimates' deviations, and whether the "
                    "model's samples determine them");
  command->callback([options, certainty] {
    options->json = options->json || *certainty;
    execute(*options, *certainty);
  });
}

}  // namespace lathe::app
