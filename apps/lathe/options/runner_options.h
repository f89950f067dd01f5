// The options that say on what nets are measured.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "lathe/measure/runners/runner.h"

namespace lathe::app {

struct RunnerOptions {
  std::string runner = "auto";  ///< onnxruntime where it is built in, else torch
  std::string device = "cpu";
  int threads = 1;
  int batch = 1;
  std::string precision = measure::kFloat32;
  std::string layout = "auto";
  std::string command;
  int protocol = 1;
  double timeout_s = 300;
  int retries = 2;
};

inline constexpr const char* kInt8 = "int8";

void add_runner_options(CLI::App& command, RunnerOptions& options);

/// @throws Error if they don't go together, or if the program that would run nets isn't there.
void check_runner(const RunnerOptions& options);

/// Adds --warmup, --rounds, --runs and --round-ms.
void add_timing_options(CLI::App& command, measure::TimingOptions& options);

/// The runner that the options name. `known_runtime` is that of earlier measurements to go on with,
/// or empty: it decides the layout where the options leave it open; otherwise the faster one for
/// `probe` is taken.
std::unique_ptr<measure::Runner> make_runner(const RunnerOptions& options, const graph::Net& probe,
                                             const std::string& known_runtime = "");

/// The same for a model that exists as a file. @throws Error if the runner takes archs only.
std::unique_ptr<measure::ModelRunner> make_runner(const RunnerOptions& options,
                                                  const std::filesystem::path& model);

}  // namespace lathe::app
