#include "lathe/train/cells/cell_mixer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "core/temporary_folder.h"

namespace lathe::train {
namespace {

using lathe::testing::text_thrown;

space::CellSearchNet search_net(const space::CellSearchOptions& options = {}, int cells = 3) {
  return space::cell_search_graph({.name = "tiny",
                                   .task = {.in_channels = 1, .num_classes = 3, .input_size = 4},
                                   .init_channels = 8,
                                   .cells = cells},
                                  options);
}

search::CellLogits random_logits(int kinds, bool edges) {
  search::CellLogits logits = search::CellLogits::zero(kinds, edges);
  Rng rng(5);
  for (double& value : logits.ops) value = rng.normal();
  for (double& value : logits.edges) value = rng.normal();
  return logits;
}

TEST(CellMixer, MixesByTheStrengths) {
  for (const int parts : {1, 4}) {
    const space::CellSearchNet net =
        search_net({.channel_parts = parts, .auxiliary_skips = parts == 4});
    CellMixer mixer(net, {.edge_weights = parts == 4});
    const search::CellLogits logits = random_logits(2, parts == 4);
    mixer.set_logits(logits);
    const std::vector<double> strengths = logits.strengths();
    nn::Binding binding(static_cast<std::size_t>(net.graph.size()));
    nn::Binding fixed = binding;
    mixer.mix(binding, 0, 0.25);
    mixer.mix_fixed(fixed, 0.25);
    for (const space::CellMixture& mixture : net.mixtures) {
      const at::Tensor& mixing = binding[static_cast<std::size_t>(mixture.node)].weight;
      EXPECT_TRUE(at::equal(mixing, fixed[static_cast<std::size_t>(mixture.node)].weight));
      EXPECT_TRUE(mixing.requires_grad());
      EXPECT_FALSE(fixed[static_cast<std::size_t>(mixture.node)].weight.requires_grad());
      double bypasses = 0;
      for (std::size_t i = 0; i < mixture.terms.size(); ++i) {
        const space::MixedTerm& term = mixture.terms[i];
        const double value = mixing[static_cast<std::int64_t>(i)].item<double>();
        if (term.op > 0) {
          EXPECT_NEAR(value,
                      strengths[search::CellLogits::op_index(mixture.kind, term.edge, term.op)],
                      1e-6);
        } else if (term.op == space::MixedTerm::kAuxiliarySkip) {
          EXPECT_EQ(value, 0.25);
        } else {
          bypasses += value;
        }
      }
      if (mixture.terms.front().op == space::MixedTerm::kBypass) {
        EXPECT_NEAR(bypasses, 1, 1e-6);  // the weights of a node's edges
      }
    }
  }
}

TEST(CellMixer, KeepsLogitsAndAddsGradients) {
  CellMixer mixer(search_net(), {.replicas = 2});
  const search::CellLogits logits = random_logits(2, false);
  mixer.set_logits(logits);
  const search::CellLogits back = mixer.logits();
  for (std::size_t i = 0; i < logits.ops.size(); ++i) {
    EXPECT_NEAR(back.ops[i], logits.ops[i], 1e-6);
  }
  mixer.add_gradient(logits, 2);
  mixer.add_gradient(logits, 1);
  const at::Tensor part = mixer.parameters().part(mixer.parameters().grads(), "ops.1");
  EXPECT_NEAR(part[2][3].item<double>(), 3 * logits.ops[search::CellLogits::op_index(1, 2, 3)],
              1e-5);
}

TEST(CellMixer, HasTheSoftmaxesEntropy) {
  CellMixer mixer(search_net(), {});
  mixer.set_logits(search::CellLogits::zero(2, false));
  EXPECT_NEAR(mixer.entropy().item<double>(), std::log(8.0), 1e-5);
  search::CellLogits sure = search::CellLogits::zero(2, false);
  for (std::size_t i = 3; i < sure.ops.size(); i += 8) sure.ops[i] = 50;
  mixer.set_logits(sure);
  EXPECT_NEAR(mixer.entropy().item<double>(), 0, 1e-5);
  CellMixer edges(search_net({.channel_parts = 4}), {.edge_weights = true});
  edges.set_logits(search::CellLogits::zero(2, true));
  const double of_edges = (std::log(2.0) + std::log(3.0) + std::log(4.0) + std::log(5.0)) / 4;
  EXPECT_NEAR(edges.entropy().item<double>(), std::log(8.0) + of_edges, 1e-5);
}

TEST(CellMixer, PerturbsWithoutChangingLogits) {
  const space::CellSearchNet net = search_net({}, 1);
  CellMixer mixer(net, {.seed = 1});
  Rng rng(2);
  const auto perturbation = mixer.perturbation(0.03, rng);
  ASSERT_EQ(perturbation.size(), 1);
  EXPECT_LE(perturbation[0].abs().max().item<double>(), 0.03);
  nn::Binding plain(static_cast<std::size_t>(net.graph.size()));
  nn::Binding moved = plain;
  mixer.mix_fixed(plain);
  mixer.mix_fixed(moved, 0, perturbation);
  const auto node = static_cast<std::size_t>(net.mixtures.front().node);
  const at::Tensor difference = moved[node].weight - plain[node].weight;
  EXPECT_NEAR(difference[0].item<double>(), perturbation[0][0][1].item<double>(), 1e-6);
}

TEST(CellMixer, RefusesOtherLogits) {
  CellMixer mixer(search_net(), {});
  const std::string expected =
      "[train::CellMixer] the logits are of other kinds of cells, or with and without weights of "
      "edges";
  for (const auto& [kinds, edges] : {std::pair{1, false}, {2, true}}) {
    EXPECT_EQ(text_thrown<std::invalid_argument>(
                  [&] { mixer.set_logits(search::CellLogits::zero(kinds, edges)); }),
              expected);
  }
}

}  // namespace
}  // namespace lathe::train
