// Comparing a differentiable function with the library's own in double precision.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace lathe::nn::test {

using Function = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// The library's generator starts from a random seed otherwise.
inline const at::Generator kSeeded = [] {
  at::manual_seed(1);
  return at::globalContext().defaultGenerator(at::kCPU);
}();

/// Largest |a - b|, as a fraction of the largest |b| where that exceeds 1.
inline double difference(const at::Tensor& a, const at::Tensor& b) {
  const double scale = std::max(1.0, b.abs().max().item<double>());
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>() / scale;
}

/// The output of `function` and the gradients of its inputs for the output gradient `grad`.
inline std::vector<at::Tensor> with_gradients(const Function& function,
                                              const std::vector<at::Tensor>& inputs,
                                              const at::Tensor& grad) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().requires_grad_());
  const at::Tensor y = function(leaves);
  std::vector<at::Tensor> all = torch::autograd::grad({y}, leaves, {grad.to(y.scalar_type())});
  all.insert(all.begin(), y.detach());
  return all;
}

/// Expects the same output and gradients of `function` on float32 inputs as of `reference` on the
/// same in double precision.
inline void expect_same(const Function& function, const Function& reference,
                        const std::vector<at::Tensor>& inputs, double tolerance) {
  std::vector<at::Tensor> exact;
  for (const at::Tensor& input : inputs) exact.push_back(input.to(at::kDouble));
  const at::Tensor grad = at::randn_like(reference(exact));
  const auto got = with_gradients(function, inputs, grad);
  const auto want = with_gradients(reference, exact, grad);
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(got[i].sizes(), want[i].sizes()) << "result " << i;
    EXPECT_LT(difference(got[i], want[i]), tolerance) << "result " << i;
  }
}

}  // namespace lathe::nn::test
