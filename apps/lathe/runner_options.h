// The options that say on what nets are measured.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "lathe/measure/runner.h"
#include "lathe/space/space.h"

namespace lathe::app {

struct RunnerOptions {
  std::string runner = "torch";
  int threads = 1;
  int batch = 1;
  std::string layout = "auto";
};

void add_runner_options(CLI::App& command, RunnerOptions& options);

/// The runner that the options name. `known_runtime` is that of earlier measurements to go on with,
/// or empty: it decides the layout where the options leave it open; otherwise the faster one for
/// `probe` is taken.
std::unique_ptr<measure::Runner> make_runner(const RunnerOptions& options, const graph::Net& probe,
                                             const std::string& known_runtime = "");

}  // namespace lathe::app
