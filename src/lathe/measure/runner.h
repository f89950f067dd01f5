// A place where nets are run to be timed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lathe/graph/fold.h"
#include "lathe/measure/timing.h"

namespace lathe::measure {

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

  /// What distinguishes the measurements, as in a latency::Fingerprint.
  virtual std::string device() const = 0;
  virtual std::string runtime() const = 0;
  virtual std::string precision() const { return "float32"; }
  virtual int batch() const = 0;
  virtual int threads() const = 0;
};

/// Random weights for a graph whose speed alone matters: normal with variance 2 / fan-in, batch
/// norm the identity, so that activations stay in a normal range.
graph::Net random_net(const graph::Graph& graph, std::uint64_t seed);

}  // namespace lathe::measure
