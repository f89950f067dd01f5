// Nets timed by any other program: on a phone, an accelerator, another runtime.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/measure/runners/runner.h"
#include "lathe/measure/runners/runner_protocol.h"
#include "lathe/measure/runners/temporary_folder.h"

namespace lathe::measure {

struct CommandRunnerOptions {
  std::string command;     ///< a line for the shell; version 1 appends the model's path to it
  int protocol = 1;        ///< 2: the program is started once and stays
  WriteModel write_model;  ///< for the batch size
  std::string precision = kFloat32;  ///< of the files that it writes
  int threads = 1;
  int batch = 1;
  double timeout_s = 300;  ///< for each answer
  int retries = 2;         ///< after one that failed in whatever way
};

/// Version 1 calls the program once for each net and turn. Standard input is one line of JSON,
/// `{"version": 1, "model": path, "input_shape": [N, C, H, W] or null, "batch": N, "threads": T,
/// "precision": P, "warmup_runs": W, "runs": R, "max_ms": M}`; the program runs the model W times,
/// then R times or for at most M ms (0: no limit), but at least twice, and prints one line of JSON,
/// `{"device": "...", "runtime": "...", "latencies_ms": [...]}`, with "precision", "first_ms" and
/// what it knows beside time (reported_from_json()) if it likes.
///
/// Version 2 starts it once. Requests are lines of JSON on its standard input, `{"request":
/// "hello", "version": 2, "threads": T, "batch": N, "precision": P, "id": i}`, then "load" with
/// "model" and "input_shape", "time" with "model", "warmup_runs", "runs" and "max_ms", "unload"
/// with "model", and it answers each by a line with the request's "id": device and runtime, nothing
/// more, latencies_ms, nothing more; or `{"id": i, "error": "..."}`. Nets are timed in turns
/// without loading them again. It is to end when its standard input does. docs/runners.md.
class CommandRunner : public ModelRunner {
 public:
  /// Runs `probe` a few times, more and more often, to learn the device and the runtime, and to see
  /// that the times that the program states agree with the time that it takes.
  /// @throws std::invalid_argument if a count or the time limit is not positive (retries:
  /// negative), the protocol is neither, or something is missing; Error naming the command and what
  /// is wrong with it.
  CommandRunner(const graph::Net& probe, CommandRunnerOptions options);
  /// The same with a model that exists as a file.
  CommandRunner(const std::filesystem::path& probe, CommandRunnerOptions options);

  /// @throws Error naming the command: it does not answer in time, ends with a failure, prints
  /// something else, states more time than it took, is suddenly another device or runtime, or
  /// computes in other numbers than the files do, which are not float32; all after the retries.
  std::vector<Timing> time(std::span<const graph::Net> nets, const TimingOptions& options,
                           const TurnFn& progress = {}) override;
  /// A model that exists as a file.
  Timing time(const std::filesystem::path& model, const TimingOptions& options) override;

  void renew() override { protocol_->renew(); }

  std::string device() const override { return device_; }
  std::string runtime() const override { return runtime_; }
  std::string precision() const override { return precision_; }
  int batch() const override { return options_.batch; }
  int threads() const override { return options_.threads; }

 private:
  void begin();
  void probe(const ModelFile& model);
  std::vector<Timing> time_models(std::span<const ModelFile> models, const TimingOptions& options,
                                  const TurnFn& progress);
  ModelFile write(const graph::Net& net, const std::filesystem::path& path) const;
  StatedTurn turn(const ModelFile& model, int warmup_runs, int runs, double max_ms);
  void check_precision(StatedTurn& turn) const;
  void check_same_device(const StatedTurn& turn) const;

  CommandRunnerOptions options_;
  TemporaryFolder folder_;  // the protocol's
  std::unique_ptr<RunnerProtocol> protocol_;
  std::string device_, runtime_, precision_;
};

}  // namespace lathe::measure
