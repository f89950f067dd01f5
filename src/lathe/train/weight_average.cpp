#include "lathe/train/weight_average.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace lathe::train {

WeightAverage::WeightAverage(const nn::Parameters& parameters, double decay)
    : parameters_(parameters), decay_(decay), values_(parameters.values().clone()) {
  if (!(decay >= 0 && decay < 1)) {
    throw std::invalid_argument("[train::WeightAverage] decay must be in [0, 1), got " +
                                std::to_string(decay));
  }
}

void WeightAverage::update(std::int64_t updates) {
  const c10::NoGradGuard no_grad;
  const auto count = static_cast<double>(updates);
  const double decay = std::min(decay_, (1 + count) / (10 + count));
  values_.lerp_(parameters_.values(), 1 - decay);
}

void WeightAverage::swap() {
  const c10::NoGradGuard no_grad;
  const at::Tensor average = values_.clone();
  values_.copy_(parameters_.values());
  parameters_.values().copy_(average);
}

}  // namespace lathe::train
