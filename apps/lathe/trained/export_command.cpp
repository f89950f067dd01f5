// lathe export: a trained net as a file that other programs run.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>

#include "commands.h"
#include "lathe/core/error.h"
#include "lathe/nn/threads.h"
#include "lathe/run/answers/int8.h"
#include "lathe/run/answers/net_file.h"
#include "lathe/run/stages/train_stage.h"
#include "options/data_options.h"
#include "options/name_options.h"
#include "options/range.h"
#include "trained/trained_net.h"

namespace lathe::app {
namespace {

struct ExportCommand {
  TrainedNetOptions net;
  std::string format = "onnx";
  int opset = deploy::OnnxOptions{}.opset;
  std::string quantize;  ///< int8, or empty
  run::Int8Options int8;
  std::string ranges = "least-error";
  std::filesystem::path out;
  bool force = false;
};

/// What can't be asked for together. Calibration needs images, so the data set has to be known.
void check_quantize(const ExportCommand& command) {
  constexpr int kFirstWithInt8 = 13;
  if (command.quantize.empty()) return;
  if (command.opset < kFirstWithInt8) {
    throw Error(fmt::format("--quantize: expected --opset {} or later, got {}", kFirstWithInt8,
                            command.opset));
  }
  if (command.format != "onnx") {
    throw Error("--quantize: expected --format onnx, got " + command.format);
  }
  if (!command.net.weights.empty() && command.net.dataset.empty()) {
    throw Error(
        "--quantize: expected --dataset beside --weights, with what the net was trained on: its "
        "images calibrate the ranges of activations");
  }
}

void save_int8(const ExportCommand& command, const run::DescribedNet& net,
               const data::Dataset& dataset) {
  run::Int8Options options = command.int8;
  options.ranges =
      command.ranges == "min-max" ? deploy::RangeRule::kMinMax : deploy::RangeRule::kLeastError;
  const run::Int8File file = run::save_int8_onnx(
      command.out, net, run::quantized(net.net, net.input, dataset, options), command.opset);
  fmt::print(
      "{}\n{} bytes, {:.0f}% of the {} in float32\n", command.out.string(), file.size_bytes,
      100.0 * static_cast<double>(file.size_bytes) / static_cast<double>(file.float_size_bytes),
      file.float_size_bytes);
}

void execute(const ExportCommand& command) {
  if (std::filesystem::exists(command.out) && !command.force) {
    throw Error(command.out.string() + ": exists; add --force to replace it");
  }
  check_quantize(command);
  const bool quantize = !command.quantize.empty();
  nn::set_num_threads(run::threads_of(0));  // as it was trained, or last bits differ
  const TrainedNet trained = open_trained_net(command.net, /*with_dataset=*/quantize);
  if (!trained.input) {
    throw Error(command.net.weights.string() +
                ": doesn't say how its input is normalised, being of an older version; export the "
                "net out of its run, with --run and --arch");
  }
  const run::DescribedNet net{trained.net, *trained.space, trained.arch, *trained.input};
  if (quantize) {
    save_int8(command, net, *trained.dataset);
    return;
  }
  if (command.format == "safetensors") {
    run::save_net(command.out, net);
  } else if (command.format == "onnx") {
    run::save_onnx(command.out, net, command.opset);
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
  command->add_option("--opset", options->opset, "version of ONNX's operators, 11 to 17")
      ->check(between(11, 17))
      ->capture_default_str();
  CLI::Option* quantize =
      command
          ->add_option("--quantize", options->quantize,
                       "int8: 8-bit integers, calibrated on training images (ONNX alone)")
          ->check(one_of("precision", {"int8"}));
  command
      ->add_option("--calibration-images", options->int8.calibration_images,
                   "training images that the ranges of activations are taken of")
      ->check(between(1, 1'000'000))
      ->needs(quantize)
      ->capture_default_str();
  command
      ->add_option("--calibration-ranges", options->ranges,
                   "least-error: of the least mean squared error; min-max: of all values")
      ->check(one_of("rule", {"least-error", "min-max"}))
      ->needs(quantize)
      ->capture_default_str();
  options->net.dataset.clear();
  add_dataset_options(*command, options->net.dataset, options->net.data);
  command->add_option("--out", options->out, "file to write")->required();
  command->add_flag("--force", options->force, "replace --out");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
