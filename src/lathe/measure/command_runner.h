// Nets timed by any other program: on a phone, an accelerator, another runtime.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/measure/runner.h"

namespace lathe::measure {

struct CommandRunnerOptions {
  std::string command;     ///< a line for the shell; the model's path is appended as last argument
  WriteModel write_model;  ///< for the batch size
  int threads = 1;
  int batch = 1;
  double timeout_s = 300;  ///< for each call
  int retries = 2;         ///< after a call that failed in whatever way
};

/// Calls the program once for each net and turn. Standard input is one line of JSON,
/// `{"version": 1, "model": path, "input_shape": [N, C, H, W] or null, "batch": N, "threads": T,
/// "warmup_runs": W, "runs": R, "max_ms": M}`; the program runs the model W times, then R times or
/// for at most M ms (0: no limit), but at least twice, and prints one line of JSON,
/// `{"device": "...", "runtime": "...", "latencies_ms": [...]}`, with "precision" and "first_ms" if
/// it likes (docs/runners.md).
class CommandRunner : public ModelRunner {
 public:
  /// Runs `probe` a few times, more and more often, to learn the device and the runtime, and to see
  /// that the times that the program states agree with the time that it takes.
  /// @throws std::invalid_argument if a count or the time limit is not positive (retries:
  /// negative), or something is missing; Error naming the command and what is wrong with it.
  CommandRunner(const graph::Net& probe, CommandRunnerOptions options);
  /// The same with a model that exists as a file.
  CommandRunner(const std::filesystem::path& probe, CommandRunnerOptions options);

  /// @throws Error naming the command: it does not answer in time, ends with a failure, prints
  /// something else, states more time than it took, or is suddenly another device or runtime; all
  /// after the retries.
  std::vector<Timing> time(std::span<const graph::Net> nets, const TimingOptions& options,
                           const TurnFn& progress = {}) override;
  /// A model that exists as a file.
  Timing time(const std::filesystem::path& model, const TimingOptions& options) override;

  std::string device() const override { return device_; }
  std::string runtime() const override { return runtime_; }
  std::string precision() const override { return precision_; }
  int batch() const override { return options_.batch; }
  int threads() const override { return options_.threads; }

 private:
  struct Model {
    std::filesystem::path path;
    std::optional<graph::Shape> input;
  };
  struct Turn {
    std::string device, runtime, precision;
    std::optional<double> first_ms;
    std::vector<double> times_ms;
    double wall_ms = 0;
  };

  void probe(const Model& model, const std::filesystem::path& folder);
  std::vector<Timing> time_models(std::span<const Model> models, const TimingOptions& options,
                                  const TurnFn& progress, const std::filesystem::path& folder);
  Model write(const graph::Net& net, const std::filesystem::path& path) const;
  Turn call(const Model& model, int warmup_runs, int runs, double max_ms,
            const std::filesystem::path& folder) const;
  Turn try_call(const Model& model, const std::string& request,
                const std::filesystem::path& folder) const;
  void check_same_device(const Turn& turn) const;

  CommandRunnerOptions options_;
  std::string device_, runtime_, precision_;
};

}  // namespace lathe::measure
