// Growing changes nothing that the trained net computes, and makes larger nets compute the same.
#include "lathe/nn/grow.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/nn/executor.h"
#include "lathe/space/families/bottleneck_family.h"
#include "lathe/space/families/chain_family.h"
#include "nn/small_space.h"
#include "nn/supernet_state.h"

namespace lathe::nn {
namespace {

std::shared_ptr<const space::Space> small_resnet() {
  return space::make_bottleneck_space(
      {.name = "small_resnet",
       .task = {.in_channels = 3, .num_classes = 5, .input_size = 16},
       .stem_channels = 16,
       .stages = {{.channels = 32, .stride = 1, .base_depth = 1},
                  {.channels = 64, .stride = 2, .base_depth = 1}},
       .extra_depths = {0, 1, 2},
       .expansions = {0.25, 0.5},
       .widths = {0.5, 1.0},
       .resolutions = {}});
}

std::shared_ptr<const space::Space> small_chain() {
  return space::make_chain_space({.name = "small_chain",
                                  .task = {.in_channels = 2, .num_classes = 4, .input_size = 9},
                                  .layers = {{{4, 8}, 2}, {{4, 6, 8}, 1}, {{8, 16}, 2}}});
}

at::Tensor logits(const Supernet& supernet, const space::Arch& arch, const at::Tensor& images,
                  bool training) {
  const Executor net(supernet.space().graph(arch));
  return net.forward(supernet.bind(net.graph()), images, {.training = training, .dropout = false});
}

bool has_at_least(const space::Arch& arch, const space::Arch& trained) {
  for (std::size_t i = 0; i < arch.choices.size(); ++i) {
    if (arch.choices[i] < trained.choices[i]) {
      return false;
    }
  }
  return true;
}

/// The same choices or larger ones, drawn at random.
space::Arch larger(const space::Space& space, const space::Arch& trained, Rng& rng) {
  space::Arch arch = space.sample(rng);
  for (std::size_t i = 0; i < arch.choices.size(); ++i) {
    arch.choices[i] = std::max(arch.choices[i], trained.choices[i]);
  }
  return space.canonical(arch);
}

class Grow : public ::testing::TestWithParam<std::shared_ptr<const space::Space> (*)()> {};

TEST_P(Grow, LargerNetsComputeWhatTheTrainedOneDoes) {
  const c10::NoGradGuard no_grad;
  Supernet supernet(GetParam()(), {.seed = 1});
  const space::Space& space = supernet.space();
  // The stem's branch of a ResNet-D ends in a rectifier, and begins almost silent.
  const double tolerance = space.name() == "small_resnet" ? 2e-2 : 1e-4;
  Rng rng(3);
  for (int round = 0; round < 10; ++round) {
    supernet.load_state(testing::random_state(supernet, rng), "test");
    const space::Arch trained = round == 0 ? space.smallest() : space.sample(rng);
    const at::Tensor images =
        to_torch(testing::random_input(space.graph(trained).input_shape(), 4, rng));
    const at::Tensor before = logits(supernet, trained, images, /*training=*/false);
    grow(supernet, space, trained);
    const double scale = before.abs().max().item<double>();
    int larger_nets = 0;
    for (int i = 0; i < 12; ++i) {
      const space::Arch arch = i == 0   ? trained
                               : i == 1 ? space.largest()
                                        : larger(space, trained, rng);
      if (!has_at_least(arch, trained)) {
        continue;  // canonical() took a choice away
      }
      ++larger_nets;
      EXPECT_LT((logits(supernet, arch, images, false) - before).abs().max().item<double>(),
                tolerance * scale)
          << space.to_json(trained) << " in " << space.to_json(arch);
    }
    EXPECT_GT(larger_nets, 4);
    // With the batch's own statistics too; last, since it moves the running ones.
    const at::Tensor training = logits(supernet, trained, images, /*training=*/true);
    EXPECT_LT(
        (logits(supernet, space.largest(), images, true) - training).abs().max().item<double>(),
        tolerance * training.abs().max().item<double>());
  }
}

TEST_P(Grow, WhatIsNewLearnsFromTheFirstStep) {
  Supernet supernet(GetParam()(), {.seed = 1});
  const space::Space& space = supernet.space();
  grow(supernet, space, space.smallest());
  Rng rng(5);
  const at::Tensor images =
      to_torch(testing::random_input(space.graph(space.largest()).input_shape(), 4, rng));
  supernet.parameters().grads().zero_();
  logits(supernet, space.largest(), images, /*training=*/true).square().sum().backward();
  // Readers of new channels and the scales of new branches, all zero now, get a gradient each.
  const c10::NoGradGuard no_grad;
  const Parameters& parameters = supernet.parameters();
  int zeros = 0;
  for (const std::string& name : parameters.names()) {
    const at::Tensor value = parameters.leaf(name);
    const at::Tensor gradient = parameters.part(parameters.grads(), name);
    const bool scale =
        value.dim() == 1 && name.ends_with(".weight") && value.abs().max().item<float>() == 0;
    if (scale || (value.dim() == 4 && value.size(1) > 1)) {
      const at::Tensor silent = value == 0;
      zeros += silent.sum().item<int>();
      EXPECT_GE(at::logical_and(silent, gradient != 0).sum().item<double>(),
                0.5 * silent.sum().item<double>())
          << name;
    }
  }
  EXPECT_GT(zeros, 0);
}

TEST_P(Grow, TreatsAveragesLikeTheWeights) {
  const c10::NoGradGuard no_grad;
  Supernet supernet(GetParam()(), {.seed = 1});
  const space::Space& space = supernet.space();
  Rng rng(7);
  supernet.load_state(testing::random_state(supernet, rng), "test");
  const at::Tensor average = supernet.parameters().values().clone();
  grow(supernet, space, space.smallest(), {average});
  EXPECT_TRUE(at::equal(average, supernet.parameters().values()));
}

INSTANTIATE_TEST_SUITE_P(Families, Grow,
                         ::testing::Values(
                             +[] { return lathe::testing::small_space(); }, &small_resnet,
                             &small_chain));

}  // namespace
}  // namespace lathe::nn
