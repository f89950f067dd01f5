#include "options/runner_options.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/deploy/onnx.h"
#include "lathe/measure/runners/command_runner.h"
#include "lathe/measure/runners/onnxruntime_runner.h"
#include "lathe/measure/runners/torch_runner.h"
#include "lathe/nn/threads.h"
#include "options/name_options.h"
#include "options/range.h"

namespace lathe::app {

namespace {

constexpr const char* kAuto = "auto";
constexpr const char* kCommand = "command";
constexpr const char* kOnnxRuntime = "onnxruntime";
constexpr const char* kTorch = "torch";

/// What --runner auto stands for. Measurements to go on with, and what only LibTorch's runner
/// knows, decide before what ships does.
std::string chosen_runner(const RunnerOptions& o, const std::string& known_runtime = "") {
  if (o.runner != kAuto) {
    return o.runner;
  }
  const bool torch = o.device != "cpu" || o.layout != kAuto ||
                     (o.precision == measure::kFloat32 && known_runtime.starts_with(kTorch));
  return torch || measure::onnxruntime_command().empty() ? kTorch : kOnnxRuntime;
}

/// A few random images. Integers take the same time whatever they stand for, so that ranges of a
/// net that is only timed need no others, and nets of random weights have no others.
deploy::CalibrationBatches random_pixels(const graph::Shape& shape) {
  constexpr int kImages = 2;
  FloatTensor pixels{{kImages, shape.channels, shape.height, shape.width}, {}};
  Rng rng(1);
  for (std::int64_t i = 0; i < kImages * shape.size(); ++i) {
    pixels.values.push_back(static_cast<float>(rng.uniform()));
  }
  return [images = std::optional(std::move(pixels))]() mutable {
    return std::exchange(images, std::nullopt);
  };
}

/// One image is what most devices get: a fixed shape lets every runtime plan ahead.
measure::WriteModel write_onnx(const RunnerOptions& o) {
  const deploy::OnnxOptions onnx{.dynamic_batch = o.batch != 1};
  if (o.precision == kInt8) {
    return [onnx](const graph::Net& net, const std::filesystem::path& path) {
      const nn::ThreadsScope one(1);  // others would still spin while the net is timed
      deploy::export_quantized_onnx(deploy::quantize(net, random_pixels(net.graph.input_shape()),
                                                     {.ranges = deploy::RangeRule::kMinMax}),
                                    path, onnx);
    };
  }
  return [onnx](const graph::Net& net, const std::filesystem::path& path) {
    deploy::export_onnx(net, path, onnx);
  };
}

/// Whether nets are run by a program: one of the user's, or lathe-onnxruntime.
bool is_program(const std::string& runner) { return runner == kCommand || runner == kOnnxRuntime; }

/// Of a runner that is_program(). @throws Error if there is none.
std::string program_of(const RunnerOptions& o, const std::string& runner) {
  if (runner == kCommand && o.command.empty()) {
    throw Error("--runner command: needs --command with the program to run (docs/runners.md)");
  }
  if (runner == kOnnxRuntime && measure::onnxruntime_command().empty()) {
    throw Error(
        "--runner onnxruntime: this build is without ONNX Runtime: install its C++ development "
        "files (libonnxruntime-dev) and configure again, or use --runner command with "
        "examples/runners/onnxruntime_node");
  }
  return runner == kCommand ? o.command : measure::onnxruntime_command();
}

measure::CommandRunnerOptions program_options(const RunnerOptions& o, const std::string& runner) {
  return {.command = program_of(o, runner),
          .protocol = runner == kCommand ? o.protocol : 2,
          .write_model = write_onnx(o),
          .precision = o.precision,
          .threads = o.threads,
          .batch = o.batch,
          .timeout_s = o.timeout_s,
          .retries = o.retries};
}

}  // namespace

void add_runner_options(CLI::App& command, RunnerOptions& o) {
  command
      .add_option("--runner", o.runner,
                  "what runs the nets: torch, LibTorch; onnxruntime; command, a program of yours; "
                  "auto, ONNX Runtime where it is built in, else LibTorch")
      ->check(one_of("runner", {kAuto, kTorch, kOnnxRuntime, kCommand}))
      ->capture_default_str();
  command
      .add_option("--device", o.device, "what the torch runner runs on: cpu, cuda or cuda:<number>")
      ->capture_default_str();
  command.add_option("--threads", o.threads, "threads that a net runs on")
      ->check(between(1, 1024))
      ->capture_default_str();
  command.add_option("--batch", o.batch, "images that a net runs on")
      ->check(between(1, 65536))
      ->capture_default_str();
  command
      .add_option("--precision", o.precision,
                  "numbers that nets compute in: float32, or int8, as 8-bit integers in ONNX (not "
                  "with --runner torch)")
      ->check(one_of("precision", {measure::kFloat32, kInt8}))
      ->capture_default_str();
  command
      .add_option("--layout", o.layout,
                  "memory layout of the torch runner: auto takes that of the file to go on with, "
                  "or else the faster one")
      ->check(CLI::IsMember({"auto", "nchw", "channels-last"}))
      ->capture_default_str();
  command.add_option("--command", o.command,
                     "shell command of --runner command; gets the ONNX file's path and, on "
                     "standard input, what to do (docs/runners.md)");
  command
      .add_option("--protocol", o.protocol,
                  "of --command: 1, called for each net and turn; 2, started once and asked by "
                  "lines (docs/runners.md)")
      ->check(between(1, 2))
      ->capture_default_str();
  command
      .add_option("--timeout-s", o.timeout_s, "limit for one answer of --command or ONNX Runtime")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--retries", o.retries, "calls of either after one that failed")
      ->check(between(0, 1000))
      ->capture_default_str();
}

void add_timing_options(CLI::App& command, measure::TimingOptions& o) {
  command.add_option("--warmup", o.warmup_runs, "uncounted first runs of each net")
      ->check(between(0, 100000))
      ->capture_default_str();
  command.add_option("--rounds", o.rounds, "turns in which each net is timed")
      ->check(between(1, 100000))
      ->capture_default_str();
  command.add_option("--runs", o.runs_per_round, "runs of a turn, at most")
      ->check(between(1, 100000))
      ->capture_default_str();
  command
      .add_option("--round-ms", o.round_ms,
                  "a turn that has lasted this long ends after its second run; 0: never")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void check_runner(const RunnerOptions& o) {
  const std::string runner = chosen_runner(o);
  const bool torch = runner == kTorch;
  if (o.device != "cpu" && !torch) {  // those choose their own
    throw Error("--device: goes with --runner torch, got --runner " + o.runner);
  }
  if (o.precision == kInt8 && torch) {
    throw Error(
        "--precision int8: the torch runner computes in float32; add --runner command with "
        "--command ..., or --runner onnxruntime where it is built in");
  }
  if (is_program(runner)) {
    program_of(o, runner);
  }
}

std::unique_ptr<measure::Runner> make_runner(const RunnerOptions& o, const graph::Net& probe,
                                             const std::string& known_runtime) {
  check_runner(o);
  const std::string runner = chosen_runner(o, known_runtime);
  if (is_program(runner)) {
    return std::make_unique<measure::CommandRunner>(probe, program_options(o, runner));
  }
  measure::TorchRunnerOptions torch{.device = o.device, .threads = o.threads, .batch = o.batch};
  if (o.layout != "auto") {
    torch.channels_last = o.layout == "channels-last";
  } else if (!known_runtime.empty()) {
    torch.channels_last = measure::is_channels_last(known_runtime);
  }
  return measure::make_torch_runner(probe, torch);
}

std::unique_ptr<measure::ModelRunner> make_runner(const RunnerOptions& o,
                                                  const std::filesystem::path& model) {
  check_runner(o);
  if (o.precision != measure::kFloat32) {
    throw Error("--precision: is of nets that Lathe writes; files of --onnx are timed as they are");
  }
  const std::string runner = chosen_runner(o);
  if (is_program(runner)) {
    return std::make_unique<measure::CommandRunner>(model, program_options(o, runner));
  }
  throw Error(
      "--onnx: the torch runner takes archs only; add --runner onnxruntime, or --runner "
      "command --command ...");
}

}  // namespace lathe::app
