#include "trained/trained_net.h"

#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/run/answers/net_file.h"
#include "lathe/run/trained.h"
#include "lathe/train/evaluator.h"

namespace lathe::app {
namespace {

TrainedNet out_of_run(const TrainedNetOptions& options) {
  run::Trained trained = run::open_trained(options.run, options.data.data_dir, options.device);
  space::Arch arch;
  if (!options.arch.empty()) {
    arch = trained.space->from_json(read_json(options.arch), options.arch.string());
  } else if (trained.arch) {
    arch = *trained.arch;
  } else {
    throw Error(options.run.string() + ": is a supernet's run: add --arch, a JSON file of one of " +
                "its nets");
  }
  const train::Evaluator evaluator(trained.dataset,
                                   {.augment = trained.augment, .seed = trained.seed});
  graph::Net net = evaluator.extract(*trained.weights, trained.graph(arch));
  run::NetInput input = run::net_input(trained.dataset, trained.space->input_size(arch));
  return {std::move(trained.space), std::move(arch), std::move(net), std::move(trained.dataset),
          std::move(input)};
}

TrainedNet of_weights(const TrainedNetOptions& options, bool with_dataset) {
  run::NetFile file =
      run::load_net(options.weights, options.space,
                    options.arch.empty() ? nlohmann::json() : read_json(options.arch));
  TrainedNet result{file.space, file.arch, std::move(file.net), std::nullopt, file.input};
  if (with_dataset) {
    result.dataset = data::open_dataset(options.dataset, options.data);
    const data::ImageSet& images = result.dataset->train;
    const space::Task& task = result.space->task();
    if (images.channels() != task.in_channels || images.num_classes() != task.num_classes) {
      throw Error(options.weights.string() + ": is for " + std::to_string(task.num_classes) +
                  " classes of images of " + std::to_string(task.in_channels) +
                  " channels, the data set " + result.dataset->name + " has " +
                  std::to_string(images.num_classes()) + " and " +
                  std::to_string(images.channels()) + "; choose another --dataset");
    }
    if (result.input) {  // as the net was trained, whatever images are held out here
      result.dataset->normalization = result.input->normalization;
    }
  }
  return result;
}

}  // namespace

void add_trained_net_options(CLI::App& command, TrainedNetOptions& o) {
  CLI::Option* run = command.add_option("--run", o.run, "folder of lathe train or lathe run")
                         ->check(CLI::ExistingDirectory);
  command.add_option("--weights", o.weights, "safetensors of one net")
      ->check(CLI::ExistingFile)
      ->excludes(run);
  command
      .add_option("--arch", o.arch,
                  "JSON file of the net; without it the one that the weights are of")
      ->check(CLI::ExistingFile);
  command.add_option("--space", o.space, "file of the space, for weights whose space has one");
}

TrainedNet open_trained_net(const TrainedNetOptions& options, bool with_dataset) {
  if (options.run.empty() == options.weights.empty()) {
    throw Error("expected --run with a folder, or --weights with a file");
  }
  return options.run.empty() ? of_weights(options, with_dataset) : out_of_run(options);
}

}  // namespace lathe::app
