// The exponential moving average of the weights, which is often the better net.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lathe/nn/parameters.h"

namespace lathe::train {

class WeightAverage {
 public:
  /// Begins at the parameters as they are; `decay` in [0, 1).
  /// @throws std::invalid_argument if it isn't.
  WeightAverage(const nn::Parameters& parameters, double decay);

  /// Takes the parameters in after `updates` (counted from 1) optimizer steps: average += (1 - d) *
  /// (values - average), where d = min(decay, (1 + updates) / (10 + updates)), so that the first
  /// steps don't linger.
  void update(std::int64_t updates);

  /// Exchanges average and parameters: called twice, nothing has happened.
  void swap();

  /// Flat, of the parameters' layout.
  const at::Tensor& values() const { return values_; }

 private:
  const nn::Parameters& parameters_;
  double decay_;
  at::Tensor values_;
};

}  // namespace lathe::train
