#include "lathe/nn/parameters.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace lathe::nn {
namespace {

std::int64_t product(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace

Parameters::Parameters(std::vector<Declaration> declarations, int replicas, c10::Device device)
    : Parameters(std::move(declarations), replicas, device, alignment(device)) {}

Parameters::Parameters(std::vector<Declaration> declarations, int replicas, c10::Device device,
                       std::int64_t alignment) {
  if (replicas < 1 || alignment < 1) {
    throw std::invalid_argument("[nn::Parameters] replicas and alignment must be >= 1, got " +
                                std::to_string(replicas) + " and " + std::to_string(alignment));
  }
  std::stable_partition(declarations.begin(), declarations.end(),
                        [](const Declaration& d) { return d.decays; });
  std::int64_t offset = 0;
  for (const Declaration& declared : declarations) {
    if (!entries_.emplace(declared.name, Entry{offset, declared.shape, {}}).second) {
      throw std::invalid_argument("[nn::Parameters] declared twice: " + declared.name);
    }
    num_elements_ += product(declared.shape);
    offset += (product(declared.shape) + alignment - 1) / alignment * alignment;
    if (declared.decays) {
      num_decayed_ = offset;
    }
  }
  const auto options = at::TensorOptions(at::kFloat).device(device);
  values_ = at::zeros({offset}, options);
  for (int replica = 0; replica < replicas; ++replica) {
    grads_.push_back(at::zeros({offset}, options));
    for (auto& [name, entry] : entries_) {
      entry.leaves.push_back(part(values_, name));
      entry.leaves.back().requires_grad_(true);
      entry.leaves.back().mutable_grad() = part(grads_.back(), name);
    }
  }
}

const Parameters::Entry& Parameters::entry(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    throw std::invalid_argument("[nn::Parameters] no parameter " + name);
  }
  return found->second;
}

const at::Tensor& Parameters::leaf(const std::string& name, int replica) const {
  const Entry& e = entry(name);
  if (replica < 0 || replica >= replicas()) {
    throw std::invalid_argument("[nn::Parameters] replica must be below " +
                                std::to_string(replicas()) + ", got " + std::to_string(replica));
  }
  return e.leaves[static_cast<std::size_t>(replica)];
}

std::vector<std::string> Parameters::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    names.push_back(name);
  }
  return names;
}

at::Tensor Parameters::part(const at::Tensor& flat, const std::string& name) const {
  const Entry& e = entry(name);
  return flat.detach().narrow(0, e.offset, product(e.shape)).view(e.shape);
}

std::vector<at::Tensor> Parameters::parts_in_order(const at::Tensor& flat) const {
  std::map<std::int64_t, at::Tensor> parts;
  for (const auto& [name, e] : entries_) {
    if (const std::int64_t size = product(e.shape); size > 0) {
      parts[e.offset] = flat.narrow(0, e.offset, size);
    }
  }
  std::vector<at::Tensor> ordered;
  for (const auto& [offset, part] : parts) {
    ordered.push_back(part);
  }
  return ordered;
}

at::Tensor Parameters::packed(const at::Tensor& flat) const {
  return size() == num_elements_ ? flat : at::cat(parts_in_order(flat.detach()));
}

void Parameters::unpack(const at::Tensor& packed, const at::Tensor& flat) const {
  std::int64_t begin = 0;
  for (const at::Tensor& part : parts_in_order(flat.detach())) {
    part.copy_(packed.narrow(0, begin, part.numel()));
    begin += part.numel();
  }
}

}  // namespace lathe::nn
