// lathe accuracy predict: what an accuracy predictor says of nets.
#include <memory>

#include "commands.h"
#include "lathe/accuracy/stored_predictor.h"
#include "lathe/search/models.h"
#include "options/predict_options.h"

namespace lathe::app {
namespace {

void execute(PredictOptions options) {
  if (options.space.name.empty()) {
    options.space.name = accuracy::space_of_predictor(options.model);
  }
  const search::Models models = search::load_models(options.space.name, options.space.overrides(),
                                                    {.accuracy = options.model});
  print_predictions(options, *models.space, [&](const std::vector<space::Arch>& archs) {
    std::vector<double> accuracies(archs.size());
    models.accuracy->predict(archs, accuracies);
    std::vector<Answer> answers;
    for (const double accuracy : accuracies) {
      answers.push_back({{"accuracy", accuracy}});
    }
    return answers;
  });
}

}  // namespace

void add_accuracy_predict_command(CLI::App& app) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command =
      app.add_subcommand("predict", "top-1 accuracy of nets as a fraction, as a predictor has it");
  add_predict_options(
      *command, *options,
      "accuracy predictor, Lathe's or the published one (safetensors), or width scores "
      "(JSON)");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
