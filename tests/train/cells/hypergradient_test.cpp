// The step ahead against a toy whose answer is known, and against automatic differentiation of the
// unrolled step.
#include "lathe/train/cells/hypergradient.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/nn/executor.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/space/families/cell_search.h"
#include "lathe/train/cells/cell_mixer.h"
#include "net_fixtures.h"

namespace lathe::train {
namespace {

/// L_val = a w - 2 a + 1, L_train = w^2 - 2 a w + a^2, of scalars.
struct Toy {
  nn::Parameters weights{{{.name = "w", .shape = {1}}}};
  nn::Parameters logits{{{.name = "a", .shape = {1}}}};

  Toy(double a, double w) {
    logits.values().fill_(a);
    weights.values().fill_(w);
  }
  Bilevel bilevel() {
    const auto training = [this](bool by_weights) {
      const at::Tensor& w = weights.leaf("w");
      const at::Tensor& a = logits.leaf("a");
      const at::Tensor held = (by_weights ? a : w).detach();
      (by_weights ? w * w - 2 * held * w + held * held : held * held - 2 * a * held + a * a)
          .sum()
          .backward();
    };
    return {.weights = &weights,
            .logits = &logits,
            .training_by_weights = [=] { training(true); },
            .training_by_logits = [=] { training(false); },
            .validation_by_both =
                [this] {
                  const at::Tensor& a = logits.leaf("a");
                  (a * weights.leaf("w") - 2 * a + 1).sum().backward();
                }};
  }
};

TEST(SecondOrderGradient, OfTheToyIsTwo) {
  Toy toy(2, -2);
  second_order_gradient(toy.bilevel(), {.rate = 0.5});
  // By the first order it were w - 2 = -4.
  EXPECT_NEAR(toy.logits.grads()[0].item<double>(), 2, 1e-3);
  EXPECT_EQ(toy.weights.values()[0].item<float>(), -2.0F);
  EXPECT_EQ(toy.weights.grads()[0].item<float>(), 0.0F);
}

TEST(SecondOrderGradient, DescentOnTheToyEndsWhereItShould) {
  // The weight follows a; a then converges to 2 / (1 + 2 rate).
  for (const double rate : {0.1, 0.5}) {
    Toy toy(2, -2);
    for (int i = 0; i < 400; ++i) {
      second_order_gradient(toy.bilevel(), {.rate = rate});
      toy.logits.values().sub_(toy.logits.grads(), 0.05);
      toy.logits.grads().zero_();
      toy.weights.values().copy_(toy.logits.values());  // the best for the training loss
    }
    EXPECT_NEAR(toy.logits.values()[0].item<double>(), 2 / (1 + 2 * rate), 1e-2);
  }
}

TEST(SecondOrderGradient, IsThatOfTheUnrolledStepOnANet) {
  const space::CellSearchNet net =
      space::cell_search_graph({.name = "tiny",
                                .task = {.in_channels = 2, .num_classes = 3, .input_size = 4},
                                .init_channels = 4,
                                .cells = 1});
  nn::SharedWeights weights("tiny", net.graph, {}, {.seed = 3});
  CellMixer mixer(net, {.seed = 4});
  const nn::Executor executor(net.graph);
  at::manual_seed(5);
  const at::Tensor images = at::randn({8, 2, 4, 4}), others = at::randn({8, 2, 4, 4});
  const at::Tensor labels = at::randint(3, {8}, at::kLong);
  const auto loss = [&](const nn::Binding& binding, const at::Tensor& x) {
    return at::cross_entropy_loss(
        executor.forward(binding, x,
                         {.training = true, .momentum = 0, .kernels = nn::Kernels::kLibrary}),
        labels);
  };
  const UnrolledStep step{.rate = 0.05,
                          .momentum = 0.9,
                          .weight_decay = 0.01,
                          .buffer = 0.01 * at::randn_like(weights.parameters().values())};

  // By automatic differentiation of everything.
  const std::vector<std::string> names = weights.parameters().names();
  std::vector<at::Tensor> leaves;
  for (const std::string& name : names) leaves.push_back(weights.parameters().leaf(name));
  nn::Binding binding = weights.bind(net.graph);
  mixer.mix(binding, 0);
  const std::vector<at::Tensor> first = torch::autograd::grad(
      {loss(binding, images)}, leaves, {}, /*retain_graph=*/true, /*create_graph=*/true);
  std::map<std::string, at::Tensor> ahead;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const at::Tensor flat = at::zeros_like(weights.parameters().values());
    weights.parameters().part(flat, names[i]).fill_(1);
    const bool decays =
        flat.narrow(0, 0, weights.parameters().num_decayed()).sum().item<double>() > 0;
    ahead[names[i]] =
        leaves[i] - step.rate * (step.momentum * weights.parameters().part(step.buffer, names[i]) +
                                 first[i] + (decays ? step.weight_decay : 0.0) * leaves[i]);
  }
  nn::Binding unrolled = binding;
  for (int node = 0; node < net.graph.size(); ++node) {
    for (const graph::ParameterSpec& spec : graph::parameters_of(net.graph, node)) {
      const auto found = ahead.find(spec.name);
      if (found != ahead.end()) {
        nn::member(unrolled[static_cast<std::size_t>(node)], spec.role) = found->second;
      }
    }
  }
  const std::vector<at::Tensor> exact =
      torch::autograd::grad({loss(unrolled, others)}, {mixer.parameters().leaf("ops.0")});

  const auto add = [&](const at::Tensor& x, bool fixed, bool mixed) {
    nn::Binding at = weights.bind(net.graph);
    for (nn::NodeTensors& tensors : at) {
      for (at::Tensor* tensor : {&tensors.weight, &tensors.bias}) {
        if (fixed && tensor->defined()) *tensor = tensor->detach();
      }
    }
    mixed ? mixer.mix(at, 0) : mixer.mix_fixed(at);
    loss(at, x).backward();
  };
  const at::Tensor before = weights.parameters().values().clone();
  second_order_gradient({.weights = &weights.parameters(),
                         .logits = &mixer.parameters(),
                         .training_by_weights = [&] { add(images, false, false); },
                         .training_by_logits = [&] { add(images, true, true); },
                         .validation_by_both = [&] { add(others, false, true); }},
                        step);
  EXPECT_TRUE(at::equal(weights.parameters().values(), before));
  const at::Tensor found = mixer.parameters().part(mixer.parameters().grads(), "ops.0").clone();
  mixer.parameters().grads().zero_();
  add(others, true, true);
  const at::Tensor first_order = mixer.parameters().part(mixer.parameters().grads(), "ops.0");
  // What looking ahead adds; differences of single-precision gradients are noisy.
  const at::Tensor added = (exact[0] - first_order).flatten();
  const at::Tensor got = (found - first_order).flatten();
  EXPECT_GT(added.norm().item<double>(), 0.1 * exact[0].norm().item<double>());
  EXPECT_GT((added.dot(got) / (added.norm() * got.norm())).item<double>(), 0.85);
  EXPECT_NEAR((got.norm() / added.norm()).item<double>(), 1, 0.4);
}

TEST(SecondOrderGradient, IsThatOfTheUnrolledStepInDoublePrecision) {
  // A mixture of three smooth operations, computed in double.
  nn::Parameters weights(
      {{.name = "w", .shape = {3, 5}}, {.name = "b", .shape = {3}, .decays = false}});
  nn::Parameters logits({{.name = "a", .shape = {3}}});
  at::manual_seed(7);
  weights.values().copy_(at::randn({18}));
  logits.values().copy_(at::randn({3}));
  const at::Tensor x = at::randn({20, 5}, at::kDouble), other = at::randn({20, 5}, at::kDouble);
  const auto loss = [](const at::Tensor& w, const at::Tensor& b, const at::Tensor& a,
                       const at::Tensor& in) {
    const at::Tensor z = in.matmul(w.to(at::kDouble).t()) + b.to(at::kDouble);
    const at::Tensor ops =
        at::stack({z.select(1, 0).tanh(), z.select(1, 1).sigmoid(), z.select(1, 2).sin()});
    const at::Tensor y = at::softmax(a.to(at::kDouble), 0).matmul(ops);
    return (y - in.select(1, 0).cos()).square().mean();
  };
  const UnrolledStep step{
      .rate = 0.3, .momentum = 0.9, .weight_decay = 0.05, .buffer = 0.1 * at::randn({18})};
  const at::Tensor& w = weights.leaf("w");
  const at::Tensor& b = weights.leaf("b");
  const at::Tensor& a = logits.leaf("a");
  const auto first = torch::autograd::grad({loss(w, b, a, x)}, {w, b}, {}, true, true);
  const at::Tensor ahead_w = w - step.rate * (step.momentum * weights.part(step.buffer, "w") +
                                              first[0] + step.weight_decay * w);
  const at::Tensor ahead_b =
      b - step.rate * (step.momentum * weights.part(step.buffer, "b") + first[1]);
  const at::Tensor exact = torch::autograd::grad({loss(ahead_w, ahead_b, a, other)}, {a})[0];
  second_order_gradient(
      {.weights = &weights,
       .logits = &logits,
       .training_by_weights = [&] { loss(w, b, a.detach(), x).backward(); },
       .training_by_logits = [&] { loss(w.detach(), b.detach(), a, x).backward(); },
       .validation_by_both = [&] { loss(w, b, a, other).backward(); }},
      step);
  const double size = exact.abs().max().item<double>();
  EXPECT_LT((logits.grads() - exact).abs().max().item<double>(), 2e-3 * size);
  const at::Tensor direct = torch::autograd::grad({loss(w, b, a, other)}, {a})[0];
  EXPECT_GT((direct - exact).abs().max().item<double>(), 0.05 * size);
}

TEST(DominantEigenvalue, OfAQuadraticIsItsMatrixs) {
  nn::Parameters x({{.name = "x", .shape = {4}}});
  x.values().copy_(at::tensor({1.0F, -2.0F, 0.5F, 3.0F}));
  const at::Tensor before = x.values().clone();
  for (const float largest : {7.0F, -9.0F}) {
    const at::Tensor rotation = std::get<0>(at::linalg_qr(at::tensor({1.0F, 2.0F, 0.0F, 1.0F,  //
                                                                      0.0F, 1.0F, 3.0F, 1.0F,  //
                                                                      2.0F, 0.0F, 1.0F, 0.0F,  //
                                                                      1.0F, 1.0F, 1.0F, 5.0F})
                                                              .view({4, 4})));
    const at::Tensor matrix =
        rotation.matmul(at::diag(at::tensor({largest, 2.0F, -1.0F, 0.5F}))).matmul(rotation.t());
    const double found = dominant_eigenvalue(
        x, [&] { (x.leaf("x").dot(matrix.mv(x.leaf("x"))) * 0.5).backward(); }, 25, 3);
    EXPECT_NEAR(found, largest, 0.02 * std::abs(largest));
    EXPECT_TRUE(at::equal(x.values(), before));
    EXPECT_EQ(x.grads().abs().sum().item<double>(), 0);
  }
}

}  // namespace
}  // namespace lathe::train
