// lathe export: a trained net as a file that other programs run.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>

#include "commands.h"
#include "lathe/core/error.h"
#include "lathe/run/net_file.h"
#include "name_options.h"
#include "trained_net.h"

namespace lathe::app {
namespace {

struct ExportCommand {
  TrainedNetOptions net;
  std::string format = "onnx";
  std::filesystem::path out;
  bool force = false;
};

void execute(const ExportCommand& command) {
  if (std::filesystem::exists(command.out) && !command.force) {
    throw Error(command.out.string() + ": exists; add --force to replace it");
  }
  const TrainedNet trained = open_trained_net(command.net, /*with_dataset=*/false);
  if (!trained.input) {
    throw Error(command.net.weights.string() +
                ": doesn't say how its input is normalised, being of an older version; export the "
                "net out of its run, with --run and --arch");
  }
  const run::DescribedNet net{trained.net, *trained.space, trained.arch, *trained.input};
  if (command.format == "safetensors") {
    run::save_net(command.out, net);
  } else if (command.format == "onnx") {
    run::save_onnx(command.out, net);
  } else {
    run::save_torchscript(command.out, net);
  }
  fmt::print("{}\n", command.out.string());
}

}  // namespace

void add_export_command(CLI::App& app) {
  auto options = std::make_shared<ExportCommand>();
  CLI::App* command =
      app.add_subcommand("export", "a net out of a run or a file, for other programs");
  add_trained_net_options(*command, options->net);
  command->add_option("--format", options->format, "onnx, torchscript or safetensors")
      ->check(one_of("format", {"onnx", "torchscript", "safetensors"}))
      ->capture_default_str();
  command->add_option("--out", options->out, "file to write")->required();
  command->add_flag("--force", options->force, "replace --out");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
