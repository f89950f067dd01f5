// Nets and inputs for the tests of every component that runs them.
#pragma once

#include <cmath>
#include <cstdint>

#include "lathe/core/random.h"
#include "lathe/core/tensor_map.h"
#include "lathe/graph/fold.h"
#include "lathe/graph/graph.h"

namespace lathe::testing {

inline float uniform(Rng& rng, double low, double high) {
  return static_cast<float>(low + (high - low) * rng.uniform());
}

/// Weights of convolutions and linear layers of variance 2 / fan-in, biases in [-0.1, 0.1]; batch
/// norms with scale in [0.5, 1], shift in [-0.2, 0.2], running mean in [-0.3, 0.3] and running
/// variance in [0.5, 1.5]. Activations of a net of 60 layers keep a sane size, and every parameter
/// matters to the output.
inline TensorMap random_weights(const graph::Graph& graph, Rng& rng) {
  using Role = graph::ParameterSpec::Role;
  TensorMap weights;
  for (const graph::ParameterSpec& spec : graph::parameters_of(graph)) {
    std::int64_t size = 1;
    for (std::int64_t extent : spec.shape) {
      size *= extent;
    }
    const bool norm = spec.op == graph::Op::kBatchNorm;
    double low = -0.1;
    double high = 0.1;
    if (spec.role == Role::kWeight && norm) {
      low = 0.5, high = 1.0;
    } else if (spec.role == Role::kWeight) {
      const double fan_in = static_cast<double>(size) / static_cast<double>(spec.shape[0]);
      high = std::sqrt(6.0 / fan_in);  // a uniform's variance is high^2 / 3
      low = -high;
    } else if (spec.role == Role::kBias && norm) {
      low = -0.2, high = 0.2;
    } else if (spec.role == Role::kRunningMean) {
      low = -0.3, high = 0.3;
    } else if (spec.role == Role::kRunningVar) {
      low = 0.5, high = 1.5;
    }
    FloatTensor& tensor = weights[spec.name];
    tensor.shape = spec.shape;
    tensor.values.resize(static_cast<std::size_t>(size));
    for (float& value : tensor.values) {
      value = uniform(rng, low, high);
    }
  }
  return weights;
}

inline graph::Net random_net(const graph::Graph& graph, Rng& rng) {
  return {graph, random_weights(graph, rng)};
}

/// Standard normal, [batch, C, H, W].
inline FloatTensor random_input(const graph::Shape& shape, int batch, Rng& rng) {
  FloatTensor input{{batch, shape.channels, shape.height, shape.width}, {}};
  input.values.resize(static_cast<std::size_t>(batch * shape.size()));
  for (float& value : input.values) {
    value = static_cast<float>(rng.normal());
  }
  return input;
}

}  // namespace lathe::testing
