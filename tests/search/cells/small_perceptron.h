// A latency perceptron over the cells of a space, with random weights.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/latency/models/perceptron_model.h"
#include "lathe/space/space.h"

namespace lathe::testing {

inline latency::LatencyPerceptron small_perceptron(const space::Space& space, std::uint64_t seed,
                                                   int hidden = 8) {
  Rng rng(seed);
  const auto layer = [&](int inputs, int outputs) {
    regress::DenseLayer dense{.inputs = inputs, .outputs = outputs};
    for (int i = 0; i < inputs * outputs; ++i) {
      dense.weight.push_back(static_cast<float>(rng.normal() / std::sqrt(hidden)));
    }
    for (int i = 0; i < outputs; ++i) {
      dense.bias.push_back(static_cast<float>(0.1 * rng.normal()));
    }
    return dense;
  };
  return {.fingerprint = {},
          .perceptron =
              regress::Perceptron({layer(space.encoding_size(), hidden), layer(hidden, 1)},
                                  regress::HiddenActivation::kSigmoid),
          .mean_ms = 10,
          .scale_ms = 2};
}

}  // namespace lathe::testing
