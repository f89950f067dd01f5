#include "runner_options.h"

#include "lathe/core/error.h"
#include "lathe/deploy/onnx.h"
#include "lathe/measure/torch_runner.h"

namespace lathe::app {

void add_runner_options(CLI::App& command, RunnerOptions& o) {
  command.add_option("--runner", o.runner, "what runs the nets")
      ->check(CLI::IsMember({"torch", "command"}))
      ->capture_default_str();
  command.add_option("--threads", o.threads, "threads that a net runs on")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_option("--batch", o.batch, "images that a net runs on")
      ->check(CLI::Range(1, 65536))
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
  command.add_option("--timeout-s", o.timeout_s, "limit for one call of --command")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--retries", o.retries, "calls of --command after one that failed")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
}

void add_timing_options(CLI::App& command, measure::TimingOptions& o) {
  command.add_option("--warmup", o.warmup_runs, "uncounted first runs of each net")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command.add_option("--rounds", o.rounds, "turns in which each net is timed")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("--runs", o.runs_per_round, "runs of a turn, at most")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command
      .add_option("--round-ms", o.round_ms,
                  "a turn that has lasted this long ends after its second run; 0: never")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

measure::CommandRunnerOptions command_runner_options(const RunnerOptions& o) {
  if (o.command.empty()) {
    throw Error("--runner command: needs --command with the program to run (docs/runners.md)");
  }
  // One image is what most devices get: a fixed shape lets every runtime plan ahead.
  const deploy::OnnxOptions onnx{.dynamic_batch = o.batch != 1};
  return {.command = o.command,
          .write_model =
              [onnx](const graph::Net& net, const std::filesystem::path& path) {
                deploy::export_onnx(net, path, onnx);
              },
          .threads = o.threads,
          .batch = o.batch,
          .timeout_s = o.timeout_s,
          .retries = o.retries};
}

std::unique_ptr<measure::Runner> make_runner(const RunnerOptions& o, const graph::Net& probe,
                                             const std::string& known_runtime) {
  if (o.is_command()) {
    return std::make_unique<measure::CommandRunner>(probe, command_runner_options(o));
  }
  measure::TorchRunnerOptions torch{.threads = o.threads, .batch = o.batch};
  if (o.layout != "auto") {
    torch.channels_last = o.layout == "channels-last";
  } else if (!known_runtime.empty()) {
    torch.channels_last = measure::is_channels_last(known_runtime);
  }
  return measure::make_torch_runner(probe, torch);
}

}  // namespace lathe::app
