#include "lathe/graph/counts.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

namespace lathe::graph {
namespace {

std::int64_t product(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

bool works_in_place(Op op) {
  return op == Op::kBatchNorm || op == Op::kShift || op == Op::kActivation ||
         op == Op::kDropout || op == Op::kDropPath;
}

}  // namespace

std::int64_t macs(const Graph& graph) {
  std::int64_t total = 0;
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph[i];
    if (node.op == Op::kConv || node.op == Op::kLinear) {
      const std::int64_t pixels = std::int64_t{node.shape.height} * node.shape.width;
      total += pixels * product(parameters_of(graph, i).front().shape);
    }
  }
  return total;
}

std::int64_t params(const Graph& graph) {
  std::int64_t total = 0;
  for (const ParameterSpec& spec : parameters_of(graph)) {
    if (spec.role == ParameterSpec::Role::kWeight || spec.role == ParameterSpec::Role::kBias) {
      total += product(spec.shape);
    }
  }
  return total;
}

std::int64_t peak_memory_bytes(const Graph& graph) {
  const auto count = static_cast<std::size_t>(graph.size());
  std::vector<int> last_reader(count, -1);
  for (int i = 0; i < graph.size(); ++i) {
    for (int input : graph[i].inputs) {
      last_reader[static_cast<std::size_t>(input)] = i;
    }
  }
  // storage[i] is the node whose buffer holds node i; an in-place node shares its input's.
  std::vector<int> storage(count);
  std::vector<int> freed_after(count, -1);
  for (int i = 0; i < graph.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    storage[at] = i;
    const Node& node = graph[i];
    if (works_in_place(node.op)) {
      const auto input = static_cast<std::size_t>(node.inputs[0]);
      if (last_reader[input] == i) {
        storage[at] = storage[input];
      }
    }
    auto& until = freed_after[static_cast<std::size_t>(storage[at])];
    until = std::max({until, i, last_reader[at]});
  }
  std::int64_t alive = 0;
  std::int64_t peak = 0;
  for (int i = 0; i < graph.size(); ++i) {
    if (storage[static_cast<std::size_t>(i)] == i) {
      alive += graph[i].shape.size();
    }
    peak = std::max(peak, alive);
    for (int j = 0; j <= i; ++j) {
      const auto at = static_cast<std::size_t>(j);
      if (storage[at] == j && freed_after[at] == i) {
        alive -= graph[j].shape.size();
      }
    }
  }
  return peak * static_cast<std::int64_t>(sizeof(float));
}

}  // namespace lathe::graph
