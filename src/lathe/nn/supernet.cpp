#include "lathe/nn/supernet.h"

#include <ATen/ATen.h>

#include <cmath>

#include "lathe/core/error.h"
#include "lathe/core/random.h"

namespace lathe::nn {
namespace {

using graph::Op;
using graph::ParameterSpec;
using Role = ParameterSpec::Role;

bool is_statistic(const ParameterSpec& spec) {
  return spec.role == Role::kRunningMean || spec.role == Role::kRunningVar;
}

bool is_depthwise(const ParameterSpec& spec) {
  return spec.op == Op::kConv && spec.shape.size() == 4 && spec.shape[1] == 1 &&
         spec.shape[2] > 1;
}

/// The steps (from, to), largest first, by which an elastic kernel of size `kernel` shrinks.
std::vector<std::pair<int, int>> kernel_steps(const std::vector<int>& elastic, int kernel) {
  std::vector<std::pair<int, int>> steps;
  for (std::size_t i = elastic.size(); i-- > 1;) {
    if (elastic[i] <= kernel) {
      steps.emplace_back(elastic[i], elastic[i - 1]);
    }
  }
  return steps;
}

std::vector<Parameters::Declaration> declarations(const space::Space& space) {
  std::vector<Parameters::Declaration> all;
  const std::vector<int> elastic = space.elastic_kernels();
  for (const ParameterSpec& spec : graph::parameters_of(space.graph(space.largest()))) {
    if (is_statistic(spec)) {
      continue;
    }
    all.push_back({.name = spec.name,
                   .shape = spec.shape,
                   .decays = spec.role == Role::kWeight && spec.op != Op::kBatchNorm});
    if (is_depthwise(spec)) {
      for (const auto& [from, to] : kernel_steps(elastic, static_cast<int>(spec.shape[2]))) {
        const std::int64_t taps = std::int64_t{to} * to;
        all.push_back({.name = kernel_transform_name(spec.name, from, to),
                       .shape = {taps, taps},
                       .decays = false});
      }
    }
  }
  return all;
}

void initialise(const at::Tensor& tensor, const ParameterSpec& spec, Rng& rng) {
  float* data = tensor.data_ptr<float>();
  if (spec.role == Role::kBias) {
    tensor.zero_();
  } else if (spec.op == Op::kBatchNorm) {
    tensor.fill_(1.0);
  } else if (spec.op == Op::kLinear) {
    const double bound = 1.0 / std::sqrt(static_cast<double>(spec.shape[1]));
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      data[i] = static_cast<float>((2 * rng.uniform() - 1) * bound);
    }
  } else {
    // A depthwise filter has one output per input channel, hence fan-out k * k.
    const bool depthwise = is_depthwise(spec);
    const std::int64_t fan_out =
        spec.shape[2] * spec.shape[3] * (depthwise ? 1 : spec.shape[0]);
    const double deviation = std::sqrt(2.0 / static_cast<double>(fan_out));
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      data[i] = static_cast<float>(rng.normal() * deviation);
    }
  }
}

at::Tensor first_of_each(at::Tensor tensor, const std::vector<std::int64_t>& shape) {
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const auto dim = static_cast<std::int64_t>(d);
    if (tensor.size(dim) != shape[d]) {
      tensor = tensor.narrow(dim, 0, shape[d]);
    }
  }
  return tensor;
}

}  // namespace

std::string kernel_transform_name(const std::string& weight_name, int from, int to) {
  return weight_name.substr(0, weight_name.rfind('.')) + ".transform_" + std::to_string(from) +
         "_to_" + std::to_string(to);
}

Supernet::Supernet(std::shared_ptr<const space::Space> space, std::uint64_t seed)
    : space_(std::move(space)), parameters_(declarations(*space_)) {
  Rng rng(seed);
  for (const ParameterSpec& spec : graph::parameters_of(space_->graph(space_->largest()))) {
    if (is_statistic(spec)) {
      statistics_[spec.name] = spec.role == Role::kRunningMean ? at::zeros(spec.shape, at::kFloat)
                                                               : at::ones(spec.shape, at::kFloat);
    } else {
      initialise(parameters_.part(parameters_.values(), spec.name), spec, rng);
    }
  }
  for (const std::string& name : parameters_.names()) {
    if (name.find(".transform_") != std::string::npos) {
      const at::Tensor matrix = parameters_.part(parameters_.values(), name);
      matrix.copy_(at::eye(matrix.size(0)));
    }
  }
}

Binding Supernet::bind(const graph::Graph& subnet) const {
  Binding binding(static_cast<std::size_t>(subnet.size()));
  for (int i = 0; i < subnet.size(); ++i) {
    for (const ParameterSpec& spec : graph::parameters_of(subnet, i)) {
      member(binding[static_cast<std::size_t>(i)], spec.role) = slice(spec);
    }
  }
  return binding;
}

at::Tensor Supernet::slice(const ParameterSpec& spec) const {
  if (is_statistic(spec)) {
    return first_of_each(statistics_.at(spec.name), spec.shape);
  }
  const at::Tensor& full = parameters_.leaf(spec.name);
  if (is_depthwise(spec) && full.size(2) != spec.shape[2]) {
    return shrink_kernel(spec.name, full.narrow(0, 0, spec.shape[0]), spec.shape[2]);
  }
  return first_of_each(full, spec.shape);
}

at::Tensor Supernet::shrink_kernel(const std::string& name, at::Tensor weight,
                                   std::int64_t size) const {
  const std::int64_t channels = weight.size(0);
  for (const auto& [from, to] :
       kernel_steps(space_->elastic_kernels(), static_cast<int>(weight.size(2)))) {
    if (weight.size(2) == size) {
      break;
    }
    const std::int64_t margin = (from - to) / 2;
    const at::Tensor centre = weight.narrow(2, margin, to).narrow(3, margin, to);
    weight = at::linear(centre.reshape({channels, std::int64_t{to} * to}),
                        parameters_.leaf(kernel_transform_name(name, from, to)))
                 .view({channels, 1, to, to});
  }
  return weight;
}

TensorMap Supernet::state() const {
  TensorMap state;
  for (const std::string& name : parameters_.names()) {
    state[name] = from_torch(parameters_.leaf(name));
  }
  for (const auto& [name, tensor] : statistics_) {
    state[name] = from_torch(tensor);
  }
  return state;
}

void Supernet::load_state(const TensorMap& state, const std::string& where) {
  const TensorMap current = this->state();
  for (const auto& [name, tensor] : current) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.shape != tensor.shape) {
      throw Error(where + ": tensor " + name + " is " +
                  (found == state.end() ? "missing" : "of another shape") +
                  ", is this a supernet of " + space_->name() + "?");
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!current.contains(name)) {
      throw Error(where + ": unknown tensor " + name + ", is this a supernet of " +
                  space_->name() + "?");
    }
  }
  for (const auto& [name, tensor] : state) {
    const auto statistic = statistics_.find(name);
    const at::Tensor target = statistic != statistics_.end()
                                  ? statistic->second
                                  : parameters_.part(parameters_.values(), name);
    target.copy_(to_torch(tensor));
  }
}

}  // namespace lathe::nn
