// Measurements of devices that are formulas.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/latency/samples/fingerprint.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/space/space.h"

namespace lathe::testing {

inline latency::Fingerprint fingerprint_of(const space::Space& space) {
  return {.device = "cpu",
          .runtime = "torch",
          .precision = "float32",
          .space = space.name(),
          .in_channels = space.task().in_channels,
          .num_classes = space.task().num_classes,
          .input_size = space.task().input_size};
}

using DeviceMs = std::function<double(const space::Space&, const space::Arch&)>;

/// Uniform nets that a device takes `device_ms` for, with relative noise.
inline std::vector<latency::LatencySample> samples_of(const space::Space& space,
                                                      const DeviceMs& device_ms, int count,
                                                      double noise, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<latency::LatencySample> samples;
  for (int i = 0; i < count; ++i) {
    const space::Arch arch = space.sample(rng);
    const double ms = device_ms(space, arch) * (1 + noise * rng.normal());
    samples.push_back({.arch = arch, .median_ms = ms, .p90_ms = ms, .repeats = 1});
  }
  return samples;
}

}  // namespace lathe::testing
