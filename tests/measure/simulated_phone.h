// A device that is known exactly: what nets truly take on it, and how its sessions differ.
#pragma once

#include <cstdint>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/graph/graph.h"
#include "lathe/measure/runners/runner.h"

namespace lathe::testing {

/// What the phone does for one convolution, linear layer or global pool.
struct PhoneLayer {
  std::int64_t macs = 0;  ///< with its output channels filled up to a multiple of 8
  std::int64_t bytes = 0;
  bool depthwise = false;
  bool operator==(const PhoneLayer&) const = default;
};

std::vector<PhoneLayer> phone_layers(const graph::Graph& graph);
/// The layer of a convolution or linear layer: [in, h, w] to [out, h, w], by a kernel of k x k.
PhoneLayer phone_layer(const graph::Shape& in, const graph::Shape& out, int kernel, int groups);
PhoneLayer phone_pool(const graph::Shape& in);

/// The median of an undisturbed session, ms: of each layer the longer of computing and moving
/// bytes, slower where it leaves the cache, and all of it slower where the whole net does. No sum
/// over blocks.
double phone_ms(const std::vector<PhoneLayer>& layers);

struct PhoneNoise {
  double drift = 0.01;         ///< of the whole device, over hundreds of sessions
  double drift_memory = 0.99;  ///< correlation of the drift of a session and the next
  double session = 0.008;      ///< of each session
  double run = 0.02;           ///< of each run
  double spike_chance = 0.03;  ///< that a run takes half as long again
  double burst_chance = 0.02;  ///< that a session begins a burst, of three sessions
  double burst = 1.6;
};

/// Times as the phone's clock would show them; takes no time. Each net of each call is a session.
class SimulatedPhone final : public measure::Runner {
 public:
  SimulatedPhone(const PhoneNoise& noise, std::uint64_t seed);

  std::vector<measure::Timing> time(std::span<const graph::Net> nets,
                                    const measure::TimingOptions& options,
                                    const measure::TurnFn& progress = {}) override;
  /// Runs of a net whose undisturbed median is `ms`, in the next session.
  std::vector<double> session(double ms, int runs);

  std::string device() const override { return "simulated phone"; }
  std::string runtime() const override { return "simulated 1"; }
  int batch() const override { return 1; }
  int threads() const override { return 1; }

 private:
  PhoneNoise noise_;
  Rng rng_;
  double drift_;
  int burst_left_ = 0;
};

/// The chance that the median of a session of a net that truly takes `ms` is within `limit_ms`, at
/// any time.
double chance_within(double ms, double limit_ms, const PhoneNoise& noise);

}  // namespace lathe::testing
