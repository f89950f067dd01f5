// Against the library's optimizer, one group with weight decay and one without.
#include "lathe/train/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/optim/sgd.h>

#include <string>
#include <vector>

#include "lathe/core/random.h"

namespace lathe::train {
namespace {

void fill(const at::Tensor& tensor, Rng& rng) {
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    tensor.data_ptr<float>()[i] = static_cast<float>(rng.normal());
  }
}

TEST(Sgd, IsTheLibrarysNesterovMomentum) {
  nn::Parameters parameters({{.name = "w", .shape = {4, 3}},
                             {.name = "b", .shape = {4}, .decays = false},
                             {.name = "v", .shape = {5}}});
  Rng rng(1);
  fill(parameters.values(), rng);
  const auto copy = [&](const std::string& name) {
    return parameters.leaf(name).detach().clone().requires_grad_(true);
  };
  const std::vector<std::string> names{"w", "v", "b"};
  const std::vector<at::Tensor> copies{copy("w"), copy("v"), copy("b")};
  constexpr double kDecay = 0.02;
  const auto options = [](double decay) {
    return torch::optim::SGDOptions(1.0).momentum(0.9).nesterov(true).weight_decay(decay);
  };
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(std::vector<at::Tensor>{copies[0], copies[1]},
                      std::make_unique<torch::optim::SGDOptions>(options(kDecay)));
  groups.emplace_back(std::vector<at::Tensor>{copies[2]},
                      std::make_unique<torch::optim::SGDOptions>(options(0)));
  torch::optim::SGD reference(groups, options(0));

  const auto sgd = make_optimizer(parameters, {.momentum = 0.9, .weight_decay = kDecay});
  for (int step = 0; step < 6; ++step) {
    const double learning_rate = 0.3 / (1 + step);
    fill(parameters.grads(), rng);
    for (std::size_t i = 0; i < names.size(); ++i) {
      copies[i].mutable_grad() = parameters.part(parameters.grads(), names[i]).clone();
    }
    for (auto& group : reference.param_groups()) {
      static_cast<torch::optim::SGDOptions&>(group.options()).lr(learning_rate);
    }
    reference.step();
    sgd->step(learning_rate);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const at::Tensor difference = parameters.leaf(names[i]).detach() - copies[i].detach();
      EXPECT_LT(difference.abs().max().item<double>(), 1e-5) << names[i] << " step " << step;
    }
    EXPECT_TRUE(parameters.grads().equal(at::zeros({parameters.size()}))) << "not cleared";
  }
}

TEST(Sgd, ByHand) {
  nn::Parameters parameters({{.name = "w", .shape = {1}}});
  parameters.values().fill_(10);
  const auto sgd = make_optimizer(parameters, {.momentum = 0.5, .weight_decay = 0.1});
  parameters.grads().fill_(1);
  sgd->step(0.1);  // g = 1 + 0.1 * 10 = 2, m = 2, w = 10 - 0.1 * (2 + 0.5 * 2)
  EXPECT_NEAR(parameters.values()[0].item<double>(), 9.7, 1e-6);
  EXPECT_NEAR(sgd->buffers().at("momentum")[0].item<double>(), 2, 1e-6);
  sgd->step(1.0);  // g = 0.97, m = 1.97, w = 9.7 - (0.97 + 0.985)
  EXPECT_NEAR(parameters.values()[0].item<double>(), 7.745, 1e-5);
  EXPECT_NEAR(sgd->buffers().at("momentum")[0].item<double>(), 1.97, 1e-6);
}

}  // namespace
}  // namespace lathe::train
