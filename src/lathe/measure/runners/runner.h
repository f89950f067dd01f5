// A place where nets are run to be timed.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lathe/graph/fold.h"
#include "lathe/measure/timing.h"

namespace lathe::measure {

/// In which numbers nets compute unless something else is said.
inline constexpr const char* kFloat32 = "float32";

/// Prepares nets for one device, runtime, batch size and number of threads.
class Runner {
 public:
  virtual ~Runner() = default;

  /// Times nets in turns on a fixed random input, under the runner's conditions; one timing a net,
  /// as of time_interleaved(). Batch norm is folded first. All nets are held at the same time.
  /// @throws std::invalid_argument if a net lacks weights, or as time_interleaved(); Error if the
  /// device or the runtime fails.
  virtual std::vector<Timing> time(std::span<const graph::Net> nets, const TimingOptions& options,
                                   const TurnFn& progress = {}) = 0;

  /// What is timed next runs in a process of its own, where nets run in another process anyway.
  virtual void renew() {}

  /// What distinguishes the measurements, as in a latency::Fingerprint.
  virtual std::string device() const = 0;
  virtual std::string runtime() const = 0;
  virtual std::string precision() const { return kFloat32; }
  virtual int batch() const = 0;
  virtual int threads() const = 0;
};

/// A runner that takes model files as well.
class ModelRunner : public Runner {
 public:
  using Runner::time;
  /// @throws Error as the other, naming the file.
  virtual Timing time(const std::filesystem::path& model, const TimingOptions& options) = 0;
};

/// Writes the file that such a runner gets: deploy::export_onnx.
using WriteModel = std::function<void(const graph::Net&, const std::filesystem::path&)>;

}  // namespace lathe::measure
