// Random supernets, and what a subnet reads of one, worked out by loops over plain arrays.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lathe/nn/supernet.h"
#include "net_fixtures.h"

namespace lathe::testing {

inline bool is_transform(const std::string& name) {
  return name.find(".transform_") != std::string::npos;
}

/// Every tensor of `supernet` drawn anew, batch-norm statistics too; kernel matrices are the
/// identity and noise that moves a tap by about a third.
inline TensorMap random_state(const nn::Supernet& supernet, Rng& rng) {
  const space::Space& space = supernet.space();
  TensorMap state = random_weights(space.graph(space.largest()), rng);
  for (const std::string& name : supernet.parameters().names()) {
    if (!is_transform(name)) {
      continue;
    }
    FloatTensor& matrix = state[name];
    matrix.shape = supernet.parameters().leaf(name).sizes().vec();
    const std::int64_t taps = matrix.shape[0];
    const double noise = 0.3 / std::sqrt(static_cast<double>(taps));
    for (std::int64_t i = 0; i < taps * taps; ++i) {
      matrix.values.push_back(
          static_cast<float>((i / taps == i % taps ? 1.0 : 0.0) + noise * rng.normal()));
    }
  }
  return state;
}

/// The elements of `full` whose index is below `shape` in every dimension.
inline FloatTensor first_of_each(const FloatTensor& full, const std::vector<std::int64_t>& shape) {
  FloatTensor part{shape, {}};
  std::int64_t size = 1;
  for (const std::int64_t extent : shape) {
    size *= extent;
  }
  for (std::int64_t i = 0; i < size; ++i) {
    std::int64_t rest = i;
    std::int64_t source = 0;
    std::int64_t stride = 1;
    for (std::size_t d = shape.size(); d-- > 0;) {
      source += rest % shape[d] * stride;
      rest /= shape[d];
      stride *= full.shape[d];
    }
    part.values.push_back(full.values.at(static_cast<std::size_t>(source)));
  }
  return part;
}

/// The centre to x to of a depthwise weight, each filter multiplied by `matrix` [to^2, to^2].
inline FloatTensor shrink_kernel(const FloatTensor& weight, int to, const FloatTensor& matrix) {
  const auto from = static_cast<int>(weight.shape[2]);
  const int margin = (from - to) / 2;
  const int taps = to * to;
  FloatTensor out{{weight.shape[0], 1, to, to}, {}};
  for (std::int64_t c = 0; c < weight.shape[0]; ++c) {
    for (int row = 0; row < taps; ++row) {
      double sum = 0;
      for (int tap = 0; tap < taps; ++tap) {
        const std::int64_t at = (c * from + margin + tap / to) * from + margin + tap % to;
        sum += double{matrix.values.at(static_cast<std::size_t>(row * taps + tap))} *
               double{weight.values.at(static_cast<std::size_t>(at))};
      }
      out.values.push_back(static_cast<float>(sum));
    }
  }
  return out;
}

/// The weights of the static net that `subnet` is in a supernet of state `state`. Kernels shrink
/// through every size in `kernels` (ascending) that lies between.
inline TensorMap subnet_weights(const TensorMap& state, const graph::Graph& subnet,
                                const std::vector<int>& kernels) {
  TensorMap weights;
  for (const graph::ParameterSpec& spec : graph::parameters_of(subnet)) {
    FloatTensor tensor = state.at(spec.name);
    for (std::size_t k = kernels.size(); spec.shape.size() == 4 && k-- > 1;) {
      if (tensor.shape[2] == kernels[k] && spec.shape[2] < kernels[k]) {
        tensor = shrink_kernel(
            tensor, kernels[k - 1],
            state.at(nn::kernel_transform_name(spec.name, kernels[k], kernels[k - 1])));
      }
    }
    weights[spec.name] = first_of_each(tensor, spec.shape);
  }
  return weights;
}

}  // namespace lathe::testing
