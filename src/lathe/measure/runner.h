// A place where nets are run to be timed.
#pragma once

#include <memory>
#include <string>

#include "lathe/graph/fold.h"
#include "lathe/measure/timing.h"

namespace lathe::measure {

/// Prepares nets for one device, runtime, batch size and number of threads.
class Runner {
 public:
  virtual ~Runner() = default;

  /// A net ready to run on a fixed random input: the returned function runs it once and waits for
  /// the result. Batch norm is folded first.
  virtual Runnable prepare(const graph::Net& net) = 0;

  /// Times prepared nets in turns, under the runner's conditions; as time_interleaved().
  virtual std::vector<LatencyStats> time(std::span<const Runnable> nets,
                                         const TimingOptions& options,
                                         const std::function<void(int, int)>& progress = {}) = 0;

  /// What distinguishes the measurements: `device` and `runtime` of a fingerprint, batch, threads.
  virtual std::string device() const = 0;
  virtual std::string runtime() const = 0;
  virtual int batch() const = 0;
  virtual int threads() const = 0;
};

/// Random weights for a graph whose speed alone matters: normal with variance 2 / fan-in, batch
/// norm the identity, so that activations stay in a normal range.
graph::Net random_net(const graph::Graph& graph, std::uint64_t seed);

}  // namespace lathe::measure
