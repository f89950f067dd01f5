// How programs are asked for a model's latency: two protocols, one interface.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/graph/graph.h"
#include "lathe/measure/reported.h"

namespace lathe::measure {

/// A model in a file, with the shape of its input if that is known.
struct ModelFile {
  std::filesystem::path path;
  std::optional<graph::Shape> input;
};

/// Some runs of one model, as the program states them.
struct StatedTurn {
  std::string device, runtime, precision;
  std::optional<double> first_ms;
  std::vector<double> times_ms;  ///< at least one, each > 0, no more than `wall_ms` together
  double wall_ms = 0;            ///< that the answer took
  Reported reported;
};

/// For errors: `12.34 ms`.
std::string ms_text(double ms);

struct ProtocolOptions {
  std::string command;
  int threads = 1;
  int batch = 1;
  std::string precision;   ///< of the models: the program is told
  double timeout_s = 300;  ///< for each answer
};

class RunnerProtocol {
 public:
  virtual ~RunnerProtocol() = default;
  /// Runs `model` `warmup_runs` times uncounted, then `runs` times or for at most `max_ms` (0: no
  /// limit), but at least twice. @throws Error saying what went wrong; it may be tried again.
  virtual StatedTurn turn(const ModelFile& model, int warmup_runs, int runs, double max_ms) = 0;
  /// Whether a model stays loaded between its turns, until release().
  virtual bool stays() const = 0;
  virtual void release() = 0;
  /// The next turn's process is a new one.
  virtual void renew() = 0;
};

/// Version 1: a call for each turn. `folder` is for temporary files and must outlive the result.
std::unique_ptr<RunnerProtocol> make_call_protocol(const ProtocolOptions& options,
                                                   const std::filesystem::path& folder);
/// Version 2: the program is started once, again only after an error.
std::unique_ptr<RunnerProtocol> make_worker_protocol(const ProtocolOptions& options,
                                                     const std::filesystem::path& folder);

}  // namespace lathe::measure
