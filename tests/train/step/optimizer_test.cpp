// Against the library's optimizers; SGD in two groups, one with weight decay and one without.
#include "lathe/train/step/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <string>
#include <vector>

#include "core/temporary_folder.h"
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

/// Runs one of ours beside one of the library's on the same gradients.
template <typename Reference, typename Options>
void expect_like_the_library(const OptimizerOptions& ours, const Options& theirs) {
  nn::Parameters parameters({{.name = "w", .shape = {4, 3}}, {.name = "v", .shape = {5}}});
  Rng rng(2);
  fill(parameters.values(), rng);
  const std::vector<std::string> names{"w", "v"};
  std::vector<at::Tensor> copies;
  for (const std::string& name : names) {
    copies.push_back(parameters.leaf(name).detach().clone().requires_grad_(true));
  }
  Reference reference(copies, theirs);
  const auto optimizer = make_optimizer(parameters, ours);
  for (int step = 0; step < 8; ++step) {
    const double learning_rate = 0.1 / (1 + step);
    fill(parameters.grads(), rng);
    for (std::size_t i = 0; i < names.size(); ++i) {
      copies[i].mutable_grad() = parameters.part(parameters.grads(), names[i]).clone();
    }
    for (auto& group : reference.param_groups()) {
      static_cast<Options&>(group.options()).lr(learning_rate);
    }
    reference.step();
    optimizer->step(learning_rate);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const at::Tensor difference = parameters.leaf(names[i]).detach() - copies[i].detach();
      EXPECT_LT(difference.abs().max().item<double>(), 2e-5) << names[i] << " step " << step;
    }
  }
  EXPECT_EQ(optimizer->updates(), 8);
  optimizer->restart();
  EXPECT_EQ(optimizer->updates(), 0);
  for (const auto& named : optimizer->buffers()) {
    const at::Tensor& buffer = named.second;
    EXPECT_TRUE(buffer.equal(at::zeros_like(buffer))) << named.first;
  }
}

TEST(RmsProp, IsTheLibrarys) {
  expect_like_the_library<torch::optim::RMSprop>(
      {.name = "rmsprop", .momentum = 0.8, .decay = 0.95, .epsilon = 1e-3, .weight_decay = 0.02},
      torch::optim::RMSpropOptions(1.0).momentum(0.8).alpha(0.95).eps(1e-3).weight_decay(0.02));
}

TEST(Adam, IsTheLibrarys) {
  expect_like_the_library<torch::optim::Adam>(
      {.name = "adam", .momentum = 0.5, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.05},
      torch::optim::AdamOptions(1.0).betas({0.5, 0.95}).eps(1e-6).weight_decay(0.05));
}

TEST(AdamW, IsTheLibrarys) {
  expect_like_the_library<torch::optim::AdamW>(
      {.name = "adamw", .momentum = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.05},
      torch::optim::AdamWOptions(1.0).betas({0.8, 0.95}).eps(1e-6).weight_decay(0.05));
}

TEST(Optimizer, SameBitsForAnyNumberOfWorkers) {
  // Two kinds of parameters of several pieces each, the last ones short.
  for (const std::string& name : optimizer_names()) {
    SCOPED_TRACE(name);
    const auto trained = [&](nn::Workers* workers) {
      nn::Parameters parameters(
          {{.name = "w", .shape = {70'001}}, {.name = "b", .shape = {40'003}, .decays = false}});
      Rng rng(3);
      fill(parameters.values(), rng);
      const auto optimizer =
          make_optimizer(parameters, {.name = name, .weight_decay = 0.05, .clip_norm = 50});
      for (int step = 0; step < 3; ++step) {
        fill(parameters.grads(), rng);
        optimizer->step(0.1, workers);
        EXPECT_TRUE(parameters.grads().equal(at::zeros({parameters.size()}))) << "not cleared";
      }
      return at::cat({parameters.values(), optimizer->buffers().at("momentum")});
    };
    const at::Tensor want = trained(nullptr);
    nn::Workers two(2, 1), three(3, 2);
    EXPECT_TRUE(trained(&two).equal(want));
    EXPECT_TRUE(trained(&three).equal(want));
  }
}

TEST(Optimizer, ClipsByNormAndByValue) {
  const at::Tensor gradient = at::tensor({3.0F, 4.0F});
  EXPECT_NEAR(clip_norm(gradient, 10), 5, 1e-6);
  EXPECT_EQ(gradient[1].item<float>(), 4.0F) << "short enough";
  EXPECT_NEAR(clip_norm(gradient, 1), 5, 1e-6);
  EXPECT_NEAR(gradient[0].item<double>(), 0.6, 1e-6);
  EXPECT_NEAR(gradient[1].item<double>(), 0.8, 1e-6);

  nn::Parameters parameters({{.name = "w", .shape = {2}}});
  const auto sgd =
      make_optimizer(parameters, {.momentum = 0, .weight_decay = 0, .clip_value = 0.5});
  parameters.grads().copy_(at::tensor({-2.0F, 0.25F}));
  sgd->step(1);
  EXPECT_EQ(parameters.values()[0].item<float>(), 0.5F);
  EXPECT_EQ(parameters.values()[1].item<float>(), -0.25F);
}

TEST(Optimizer, SaysWhatIsWrong) {
  nn::Parameters parameters({{.name = "w", .shape = {2}}});
  const auto text = [&](const OptimizerOptions& options) {
    return lathe::testing::text_thrown<std::invalid_argument>(
        [&] { make_optimizer(parameters, options); });
  };
  EXPECT_EQ(text({.name = "adamax"}), "[train::make_optimizer] unknown optimizer adamax");
  EXPECT_EQ(text({.momentum = 1}),
            "[train::make_optimizer] momentum must be in [0, 1), got 1.000000");
  EXPECT_EQ(text({.weight_decay = -1}),
            "[train::make_optimizer] weight_decay must be >= 0, got -1.000000");
  EXPECT_EQ(text({.epsilon = 0}), "[train::make_optimizer] epsilon must be > 0, got 0.000000");
}

}  // namespace
}  // namespace lathe::train
