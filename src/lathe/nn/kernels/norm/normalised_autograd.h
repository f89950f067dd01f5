// How operations on a Normalised take part in autograd.
#pragma once

#include <c10/core/GradMode.h>
#include <c10/util/Optional.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "lathe/nn/kernels/norm/normalised.h"

namespace lathe::nn {

/// An input of an autograd function that may be undefined.
using OptionalTensor = c10::optional<at::Tensor>;

inline OptionalTensor optional(const at::Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : c10::nullopt;
}

/// Whether a gradient of x or of one of `others` can be asked for.
inline bool needs_grad(const Normalised& x, std::initializer_list<at::Tensor> others) {
  const auto wants = [](const at::Tensor& t) { return t.defined() && t.requires_grad(); };
  return at::GradMode::is_enabled() &&
         (wants(x.z) || wants(x.moments) || wants(x.weight) || wants(x.bias) ||
          std::any_of(others.begin(), others.end(), wants));
}

/// Keeps x and then `others` for the backward pass, which gets undefined gradients as they are.
inline void save_normalised(torch::autograd::AutogradContext& context, const Normalised& x,
                            std::initializer_list<at::Tensor> others) {
  torch::autograd::variable_list all{x.z, x.moments, x.weight, x.bias};
  all.insert(all.end(), others.begin(), others.end());
  context.save_for_backward(all);
  context.set_materialize_grads(false);
  context.saved_data["eps"] = x.eps;
  context.saved_data["activation"] = static_cast<std::int64_t>(x.activation);
}

/// x as it was saved; `saved` are the saved variables.
inline Normalised saved_normalised(torch::autograd::AutogradContext& context,
                                   const torch::autograd::variable_list& saved) {
  return {saved[0],
          saved[1],
          saved[2],
          saved[3],
          context.saved_data["eps"].toDouble(),
          static_cast<graph::Activation>(context.saved_data["activation"].toInt())};
}

}  // namespace lathe::nn
