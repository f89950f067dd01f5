#include "lathe/train/predictors/fit_perceptron.h"

#include <ATen/ATen.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>

#include "lathe/core/random.h"
#include "lathe/nn/threads.h"
#include "lathe/train/schedule.h"

namespace lathe::train {
namespace {

std::vector<at::Tensor> random_layers(int inputs, const std::vector<int>& hidden, double mean,
                                      Rng& rng) {
  std::vector<at::Tensor> parameters;
  std::vector<int> sizes = hidden;
  sizes.push_back(1);
  int fan_in = inputs;
  for (int size : sizes) {
    const at::Tensor weight = at::empty({size, fan_in}, at::kFloat);
    const double deviation = std::sqrt(2.0 / fan_in) * (size == 1 ? 0.1 : 1.0);
    for (std::int64_t i = 0; i < weight.numel(); ++i) {
      weight.data_ptr<float>()[i] = static_cast<float>(rng.normal() * deviation);
    }
    const at::Tensor bias = at::zeros({size}, at::kFloat);
    parameters.push_back(weight);
    parameters.push_back(bias);
    fan_in = size;
  }
  parameters.back().fill_(mean);
  for (at::Tensor& parameter : parameters) {
    parameter.requires_grad_(true);
  }
  return parameters;
}

at::Tensor forward(const std::vector<at::Tensor>& parameters, at::Tensor x,
                   regress::HiddenActivation activation) {
  for (std::size_t i = 0; i < parameters.size(); i += 2) {
    x = at::linear(x, parameters[i], parameters[i + 1]);
    if (i + 2 < parameters.size()) {
      x = activation == regress::HiddenActivation::kRelu ? at::relu(x) : at::sigmoid(x);
    }
  }
  return x.squeeze(1);
}

regress::Perceptron to_perceptron(const std::vector<at::Tensor>& parameters,
                                  regress::HiddenActivation activation) {
  std::vector<regress::DenseLayer> layers;
  for (std::size_t i = 0; i < parameters.size(); i += 2) {
    const at::Tensor weight = parameters[i].detach().contiguous();
    const at::Tensor bias = parameters[i + 1].detach().contiguous();
    const float* w = weight.data_ptr<float>();
    const float* b = bias.data_ptr<float>();
    layers.push_back({.inputs = static_cast<int>(weight.size(1)),
                      .outputs = static_cast<int>(weight.size(0)),
                      .weight = {w, w + weight.numel()},
                      .bias = {b, b + bias.numel()}});
  }
  return regress::Perceptron(std::move(layers), activation);
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const std::vector<at::Tensor>& parameters,
                                                        const FitPerceptronOptions& o) {
  if (o.optimizer == PerceptronOptimizer::kAdam) {
    return std::make_unique<torch::optim::Adam>(
        parameters, torch::optim::AdamOptions(o.learning_rate).weight_decay(o.weight_decay));
  }
  return std::make_unique<torch::optim::SGD>(
      parameters,
      torch::optim::SGDOptions(o.learning_rate).momentum(0.9).weight_decay(o.weight_decay));
}

}  // namespace

regress::Perceptron fit_perceptron(std::span<const float> inputs, std::span<const float> targets,
                                   const FitPerceptronOptions& o) {
  const auto count = static_cast<std::int64_t>(targets.size());
  if (targets.empty() || inputs.empty() || inputs.size() % targets.size() != 0) {
    throw std::invalid_argument("[train::fit_perceptron] needs as many rows of inputs as targets");
  }
  if (o.batch_size < 1) {
    throw std::invalid_argument("[train::fit_perceptron] batch_size must be > 0, got " +
                                std::to_string(o.batch_size));
  }
  const auto width = static_cast<std::int64_t>(inputs.size() / targets.size());
  const at::Tensor x = at::empty({count, width}, at::kFloat);
  std::copy(inputs.begin(), inputs.end(), x.data_ptr<float>());
  const at::Tensor y = at::empty({count}, at::kFloat);
  std::copy(targets.begin(), targets.end(), y.data_ptr<float>());

  // Its products are too small to be shared: threads that wait for each other at every one of them
  // take ten times as long on a busy machine.
  const nn::ThreadsScope scope(1);
  Rng rng(o.seed);
  const double mean = y.mean().item<double>();
  const std::vector<at::Tensor> parameters =
      random_layers(static_cast<int>(width), o.hidden, mean, rng);
  const auto optimizer = make_optimizer(parameters, o);
  const CosineSchedule schedule{.peak = o.learning_rate, .total_steps = o.epochs};
  std::vector<std::int64_t> order(targets.size());
  std::iota(order.begin(), order.end(), 0);
  for (int epoch = 0; epoch < o.epochs; ++epoch) {
    if (o.optimizer == PerceptronOptimizer::kAdam) {
      optimizer->param_groups()[0].options().set_lr(schedule.at(epoch));
    }
    shuffle(std::span(order), rng);
    for (std::int64_t begin = 0; begin < count; begin += o.batch_size) {
      const std::int64_t size = std::min<std::int64_t>(o.batch_size, count - begin);
      const at::Tensor rows = at::empty({size}, at::kLong);
      std::copy_n(order.begin() + begin, size, rows.data_ptr<std::int64_t>());
      optimizer->zero_grad();
      at::mse_loss(forward(parameters, x.index_select(0, rows), o.activation),
                   y.index_select(0, rows))
          .backward();
      optimizer->step();
    }
  }
  return to_perceptron(parameters, o.activation);
}

}  // namespace lathe::train
