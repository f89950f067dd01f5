// lathe evaluate: the accuracy of a trained net.
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <string>

#include "commands.h"
#include "lathe/graph/counts.h"
#include "lathe/nn/device.h"
#include "lathe/nn/threads.h"
#include "lathe/run/stages/train_stage.h"
#include "lathe/train/evaluator.h"
#include "options/data_options.h"
#include "options/name_options.h"
#include "options/range.h"
#include "trained/trained_net.h"
#include "training/train_device.h"

namespace lathe::app {
namespace {

struct EvaluateCommand {
  TrainedNetOptions net;
  std::string split = "validation";
  int threads = 0;
  bool json = false;
};

void execute(const EvaluateCommand& command) {
  nn::set_num_threads(run::threads_of(command.threads));
  const c10::Device device = nn::open_device(command.net.device);
  const TrainedNet trained = open_trained_net(command.net, /*with_dataset=*/true);
  const data::ImageSet& images =
      command.split == "test" ? trained.dataset->test : trained.dataset->validation;
  const train::Evaluator evaluator(*trained.dataset, {});
  const double top1 =
      evaluator.top1(nn::Executor(trained.net.graph), nn::bind(trained.net, device), images);
  const nlohmann::ordered_json result{{"top1", top1},
                                      {"split", command.split},
                                      {"images", images.size()},
                                      {"dataset", trained.dataset->name},
                                      {"macs", graph::macs(trained.net.graph)},
                                      {"params", graph::params(trained.net.graph)},
                                      {"arch", trained.space->to_json(trained.arch)}};
  if (command.json) {
    fmt::print("{}\n", result.dump(2));
  } else {
    fmt::print("{} top-1 {:.2f}% of {} images ({:.2f} MMACs, {} params)\n", command.split,
               100 * top1, images.size(), static_cast<double>(graph::macs(trained.net.graph)) / 1e6,
               graph::params(trained.net.graph));
  }
}

}  // namespace

void add_evaluate_command(CLI::App& app) {
  auto options = std::make_shared<EvaluateCommand>();
  CLI::App* command = app.add_subcommand("evaluate", "accuracy of a net out of a run or a file");
  add_trained_net_options(*command, options->net);
  add_dataset_options(*command, options->net.dataset, options->net.data);
  command->add_option("--split", options->split, "validation or test")
      ->check(one_of("split", {"validation", "test"}))
      ->capture_default_str();
  add_train_device_option(*command, options->net.device);
  command->add_option("--threads", options->threads, "0: all cores")
      ->check(between(0, 1024))
      ->capture_default_str();
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
