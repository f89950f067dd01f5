#include "lathe/nn/parameters.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <stdexcept>

namespace lathe::nn {
namespace {

std::int64_t product(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace

Parameters::Parameters(std::vector<Declaration> declarations) {
  std::stable_partition(declarations.begin(), declarations.end(),
                        [](const Declaration& d) { return d.decays; });
  std::int64_t offset = 0;
  for (const Declaration& declared : declarations) {
    if (!entries_.emplace(declared.name, Entry{offset, declared.shape, {}}).second) {
      throw std::invalid_argument("[nn::Parameters] declared twice: " + declared.name);
    }
    offset += product(declared.shape);
    if (declared.decays) {
      num_decayed_ = offset;
    }
  }
  values_ = at::zeros({offset}, at::kFloat);
  grads_ = at::zeros({offset}, at::kFloat);
  for (auto& [name, entry] : entries_) {
    entry.leaf = part(values_, name);
    entry.leaf.requires_grad_(true);
    entry.leaf.mutable_grad() = part(grads_, name);
  }
}

const Parameters::Entry& Parameters::entry(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    throw std::invalid_argument("[nn::Parameters] no parameter " + name);
  }
  return found->second;
}

const at::Tensor& Parameters::leaf(const std::string& name) const { return entry(name).leaf; }

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

}  // namespace lathe::nn
