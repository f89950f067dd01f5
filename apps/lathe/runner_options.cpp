#include "runner_options.h"

#include "lathe/measure/torch_runner.h"

namespace lathe::app {

void add_runner_options(CLI::App& command, RunnerOptions& o) {
  command.add_option("--runner", o.runner, "what runs the nets")
      ->check(CLI::IsMember({"torch"}))
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
}

std::unique_ptr<measure::Runner> make_runner(const RunnerOptions& o, const graph::Net& probe,
                                             const std::string& known_runtime) {
  measure::TorchRunnerOptions torch{.threads = o.threads, .batch = o.batch};
  if (o.layout != "auto") {
    torch.channels_last = o.layout == "channels-last";
  } else if (!known_runtime.empty()) {
    torch.channels_last = measure::is_channels_last(known_runtime);
  }
  return measure::make_torch_runner(probe, torch);
}

}  // namespace lathe::app
