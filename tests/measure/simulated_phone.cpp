#include "measure/simulated_phone.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lathe::testing {
namespace {

constexpr int kLanes = 8;
constexpr double kMacsPerMs = 40e6, kDepthwiseMacsPerMs = 6e6, kBytesPerMs = 8e6;
constexpr double kCacheBytes = 192 << 10, kOutOfCache = 1.7;
constexpr double kLaunchMs = 0.004;
constexpr double kNetCacheBytes = 1.5e6, kNetOutOfCache = 0.08;

}  // namespace

PhoneLayer phone_layer(const graph::Shape& in, const graph::Shape& out, int kernel, int groups) {
  const std::int64_t filled = (out.channels + kLanes - 1) / kLanes * kLanes;
  const std::int64_t weights_per_output = std::int64_t{in.channels} / groups * kernel * kernel;
  return {.macs = filled * out.height * out.width * weights_per_output,
          .bytes = 4 * (in.size() + out.size() + out.channels * weights_per_output),
          .depthwise = groups == in.channels && groups > 1};
}

PhoneLayer phone_pool(const graph::Shape& in) {
  return {.macs = 0, .bytes = 4 * (in.size() + in.channels), .depthwise = false};
}

std::vector<PhoneLayer> phone_layers(const graph::Graph& graph) {
  std::vector<PhoneLayer> layers;
  for (const graph::Node& node : graph.nodes()) {
    if (node.op == graph::Op::kConv || node.op == graph::Op::kLinear) {
      layers.push_back(phone_layer(graph[node.inputs[0]].shape, node.shape, node.kernel,
                                   node.op == graph::Op::kConv ? node.groups : 1));
    } else if (node.op == graph::Op::kGlobalAvgPool) {
      layers.push_back(phone_pool(graph[node.inputs[0]].shape));
    }
  }
  return layers;
}

double phone_ms(const std::vector<PhoneLayer>& layers) {
  double ms = 0, bytes = 0;
  for (const PhoneLayer& layer : layers) {
    const double computing =
        static_cast<double>(layer.macs) / (layer.depthwise ? kDepthwiseMacsPerMs : kMacsPerMs);
    const auto layer_bytes = static_cast<double>(layer.bytes);
    const double moving =
        layer_bytes / kBytesPerMs * (layer_bytes > kCacheBytes ? kOutOfCache : 1.0);
    ms += kLaunchMs + std::max(computing, moving);
    bytes += layer_bytes;
  }
  return ms * (1 + kNetOutOfCache / (1 + std::exp(-8 * (bytes / kNetCacheBytes - 1))));
}

SimulatedPhone::SimulatedPhone(const PhoneNoise& noise, std::uint64_t seed)
    : noise_(noise), rng_(seed), drift_(noise.drift * rng_.normal()) {}

std::vector<double> SimulatedPhone::session(double ms, int runs) {
  drift_ = noise_.drift_memory * drift_ +
           std::sqrt(1 - noise_.drift_memory * noise_.drift_memory) * noise_.drift * rng_.normal();
  if (burst_left_ == 0 && rng_.bernoulli(noise_.burst_chance)) {
    burst_left_ = 3;
  }
  const double session_ms = ms * std::exp(drift_ + noise_.session * rng_.normal()) *
                            (burst_left_ > 0 ? noise_.burst : 1.0);
  burst_left_ = std::max(0, burst_left_ - 1);
  std::vector<double> times_ms;
  for (int run = 0; run < runs; ++run) {
    times_ms.push_back(session_ms * std::exp(noise_.run * rng_.normal()) *
                       (rng_.bernoulli(noise_.spike_chance) ? 1.5 : 1.0));
  }
  return times_ms;
}

std::vector<measure::Timing> SimulatedPhone::time(std::span<const graph::Net> nets,
                                                  const measure::TimingOptions& options,
                                                  const measure::TurnFn& progress) {
  std::vector<measure::Timing> timings;
  for (const graph::Net& net : nets) {
    const std::vector<double> all =
        session(phone_ms(phone_layers(net.graph)), options.rounds * options.runs_per_round);
    measure::Timing timing{.first_ms = all.front(), .warmup_runs = options.warmup_runs};
    for (auto it = all.begin(); it != all.end(); it += options.runs_per_round) {
      timing.rounds_ms.emplace_back(it, it + options.runs_per_round);
    }
    timings.push_back(std::move(timing));
    if (progress) {
      progress(static_cast<int>(timings.size()), static_cast<int>(nets.size()));
    }
  }
  return timings;
}

double chance_within(double ms, double limit_ms, const PhoneNoise& noise) {
  // A session in three of a burst's, once it has begun; the median of many runs is the session's,
  // moved up by the spikes.
  const double in_burst = 3 * noise.burst_chance / (1 + 3 * noise.burst_chance);
  const double deviation = std::hypot(noise.drift, noise.session);
  const double spiked =
      noise.run * 1.2533 * 2 * (noise.spike_chance / 2);  // of the median, relative
  const auto below = [&](double times) {
    const double z = (std::log(limit_ms / (ms * times)) - spiked) / deviation;
    return 0.5 * std::erfc(-z / std::numbers::sqrt2);
  };
  return (1 - in_burst) * below(1) + in_burst * below(noise.burst);
}

}  // namespace lathe::testing
