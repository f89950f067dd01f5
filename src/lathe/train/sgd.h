// Stochastic gradient descent over flat parameters.
#pragma once

#include <ATen/core/Tensor.h>

#include "lathe/nn/parameters.h"

namespace lathe::train {

/// SGD with Nesterov momentum (Sutskever et al., 2013, in the form of torch's optimizer):
/// g += weight_decay * w; m = momentum * m + g; w -= lr * (g + momentum * m). A few passes over
/// four flat arrays, whatever the number of parameters.
class Sgd {
 public:
  struct Options {
    double momentum = 0.9;
    double weight_decay = 3e-5;  ///< not on batch norm, biases and kernel transforms
  };
  Sgd(nn::Parameters& parameters, const Options& options);

  /// Uses and then clears the gradients.
  void step(double learning_rate);

  /// The momentum buffer, of the parameters' layout.
  const at::Tensor& momentum() const { return momentum_; }

 private:
  nn::Parameters& parameters_;
  Options options_;
  at::Tensor momentum_;
};

}  // namespace lathe::train
