#include "lathe/measure/random_net.h"

#include <cmath>
#include <utility>
#include <vector>

#include "lathe/graph/pixel_input.h"

namespace lathe::measure {
namespace {

// Then they repeat: drawing millions takes longer than timing the net. A prime, so that no two
// channels get the same ones.
constexpr std::size_t kDistinctWeights = 65521;

}  // namespace

graph::Net random_net(const graph::Graph& graph, std::uint64_t seed) {
  using Role = graph::ParameterSpec::Role;
  graph::Net net{graph, {}};
  Rng rng(seed);
  for (const graph::ParameterSpec& spec : graph::parameters_of(graph)) {
    std::int64_t count = 1;
    for (std::int64_t size : spec.shape) {
      count *= size;
    }
    const bool ones = spec.role == Role::kRunningVar ||
                      (spec.role == Role::kWeight && spec.op == graph::Op::kBatchNorm);
    FloatTensor tensor{spec.shape,
                       std::vector<float>(static_cast<std::size_t>(count), ones ? 1.0F : 0.0F)};
    if (spec.role == Role::kWeight && !ones) {
      const double fan_in = static_cast<double>(count / spec.shape[0]);
      for (std::size_t i = 0; i < tensor.values.size(); ++i) {
        tensor.values[i] = i < kDistinctWeights
                               ? static_cast<float>(rng.normal() * std::sqrt(2.0 / fan_in))
                               : tensor.values[i - kDistinctWeights];
      }
    }
    net.weights[spec.name] = std::move(tensor);
  }
  return net;
}

graph::Net random_net(const space::Space& space, const space::Arch& arch, std::uint64_t seed) {
  const auto channels = static_cast<std::size_t>(space.task().in_channels);
  return graph::take_pixels(random_net(space.graph(arch), seed), std::vector(channels, 0.5F),
                            std::vector(channels, 0.25F));
}

FloatTensor random_input(const graph::Shape& shape, int batch, Rng& rng) {
  FloatTensor input{{batch, shape.channels, shape.height, shape.width}, {}};
  for (std::int64_t i = 0; i < batch * shape.size(); ++i) {
    input.values.push_back(static_cast<float>(rng.normal()));
  }
  return input;
}

}  // namespace lathe::measure
