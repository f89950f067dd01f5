#include "lathe/train/sgd.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace lathe::train {

Sgd::Sgd(nn::Parameters& parameters, const Options& options)
    : parameters_(parameters), options_(options), momentum_(at::zeros_like(parameters.values())) {}

void Sgd::step(double learning_rate) {
  const c10::NoGradGuard no_grad;
  at::Tensor gradient = parameters_.grads();
  const at::Tensor& values = parameters_.values();
  const std::int64_t decayed = parameters_.num_decayed();
  gradient.narrow(0, 0, decayed).add_(values.narrow(0, 0, decayed), options_.weight_decay);
  momentum_.mul_(options_.momentum).add_(gradient);
  gradient.add_(momentum_, options_.momentum);
  values.add_(gradient, -learning_rate);
  gradient.zero_();
}

}  // namespace lathe::train
