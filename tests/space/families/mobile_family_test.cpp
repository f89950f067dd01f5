// The mobile family: against a listing of every arch of tiny spaces, and by hand.
#include "lathe/space/families/mobile_family.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/graph/counts.h"
#include "lathe/space/builtin_spaces.h"
#include "space/tiny_spaces.h"

namespace lathe::space {
namespace {

using lathe::testing::every_arch;
using lathe::testing::keys_of;
using lathe::testing::tiny_mobile;
using lathe::testing::tiny_tied_mobile;

std::vector<MobileSpec> tiny_specs() {
  MobileSpec shallow = tiny_mobile();  // blocks that no arch has must not be listed
  shallow.name = "tiny_shallow_mobile";
  shallow.resolutions.clear();
  shallow.stages = {
      {.channels = 8, .stride = 1, .depths = {1}, .kernels = {3}, .expansions = {3}},
      {.channels = 16, .stride = 2, .depths = {1, 3}, .kernels = {3, 5, 7}, .expansions = {1, 3}}};
  return {tiny_mobile(), tiny_tied_mobile(), shallow};
}

TEST(MobileFamily, CountsTheNetsThatThereAre) {
  for (const MobileSpec& spec : tiny_specs()) {
    const auto space = make_mobile_space(spec);
    std::set<Arch> archs;
    for (const Arch& arch : every_arch(*space)) {
      archs.insert(space->canonical(arch));
    }
    const std::size_t resolutions = std::max<std::size_t>(1, spec.resolutions.size());
    EXPECT_EQ(
        std::llround(std::pow(10.0, space->log10_num_nets())) * static_cast<long long>(resolutions),
        static_cast<long long>(archs.size()))
        << spec.name;
  }
}

TEST(MobileFamily, DistinctBlocksAreThoseOfAllArchs) {
  for (const MobileSpec& spec : tiny_specs()) {
    const auto space = make_mobile_space(spec);
    std::set<std::string> keys;
    for (const Arch& arch : every_arch(*space)) {
      keys.merge(keys_of(space->blocks(arch)));
    }
    const std::vector<Block> distinct = space->distinct_blocks();
    EXPECT_EQ(keys_of(distinct), keys) << spec.name;
    EXPECT_EQ(distinct.size(), keys.size()) << spec.name << ": a key twice";
  }
}

TEST(MobileFamily, EveryArchOfATinySpaceLowers) {
  for (const MobileSpec& spec : tiny_specs()) {
    const auto space = make_mobile_space(spec);
    for (const Arch& arch : every_arch(*space)) {
      EXPECT_EQ(space->graph(arch).output_shape(), (graph::Shape{4, 1, 1})) << spec.name;
    }
  }
}

TEST(MobileFamily, DecisionsAreKernelsExpansionsDepthsResolution) {
  const auto space = make_mobile_space(tiny_mobile());
  std::string order;
  for (const Decision& decision : space->decisions()) {
    order += decision.group + std::to_string(decision.index) + ' ';
  }
  EXPECT_EQ(order, "ks0 ks1 ks2 ks3 ks4 e0 e1 d0 d1 r0 ");
}

TEST(MobileFamily, BlocksBeyondAStagesDepthAreDead) {
  const auto space = make_mobile_space(tiny_mobile());
  // All smallest: one block in the first stage, two in the second.
  const std::vector<bool> alive{true, false, true, true, false, true, false, true, true, true};
  for (std::size_t i = 0; i < alive.size(); ++i) {
    EXPECT_EQ(space->alive(space->smallest(), static_cast<int>(i)), alive[i]) << i;
    EXPECT_TRUE(space->alive(space->largest(), static_cast<int>(i))) << i;
  }
  const Arch ones{std::vector<std::uint8_t>(10, 1)};
  Arch shallow = ones;
  shallow.choices[7] = shallow.choices[8] = 0;
  EXPECT_EQ(space->canonical(shallow), (Arch{{1, 0, 1, 1, 0, 1, 0, 0, 0, 1}}));
  EXPECT_EQ(space->canonical(ones), ones);
}

TEST(MobileFamily, BlocksOfTheSmallestAndTheLargestArch) {
  const auto space = make_mobile_space(tiny_mobile());
  const auto keys = [&](const Arch& arch) {
    std::vector<std::string> list;
    for (const Block& block : space->blocks(arch)) {
      list.push_back(block.name + ": " + block.key());
    }
    return list;
  };
  EXPECT_EQ(keys(space->smallest()),
            (std::vector<std::string>{
                "stem: conv 12x12x2 -> 6x6x8 k3 s2 h_swish",
                "first: mbconv 6x6x8 -> 6x6x8 mid 8 k3 s1 residual relu",
                "stages.0.blocks.0: mbconv 6x6x8 -> 3x3x16 mid 16 k3 s2 relu",
                "stages.1.blocks.0: mbconv 3x3x16 -> 3x3x16 mid 32 k3 s1 se residual h_swish",
                "stages.1.blocks.1: mbconv 3x3x16 -> 3x3x16 mid 32 k3 s1 se residual h_swish",
                "head: conv 3x3x16 -> 3x3x24 k1 s1 h_swish",
                "pool: global_pool 3x3x24 -> 1x1x24",
                "feature: conv 1x1x24 -> 1x1x32 k1 s1 no_bn h_swish",
                "classifier: classifier 1x1x32 -> 1x1x4",
            }));
  const std::vector<std::string> largest = keys(space->largest());
  ASSERT_EQ(largest.size(), 11U);
  EXPECT_EQ(largest[2], "stages.0.blocks.0: mbconv 8x8x8 -> 4x4x16 mid 24 k5 s2 relu");
  EXPECT_EQ(largest[3], "stages.0.blocks.1: mbconv 4x4x16 -> 4x4x16 mid 48 k5 s1 residual relu");
}

TEST(MobileFamily, TiedExpansionFollowsTheDepth) {
  const auto space = make_mobile_space(tiny_tied_mobile());
  for (const Decision& decision : space->decisions()) {
    EXPECT_NE(decision.group, "e");
  }
  for (const Arch& arch : every_arch(*space)) {
    const std::vector<Block> net = space->blocks(arch);
    const auto depth = static_cast<int>(net.size()) - 6;  // stem, first, head, pool, feature, fc
    for (int b = 0; b < depth; ++b) {
      const Block& block = net[static_cast<std::size_t>(2 + b)];
      EXPECT_EQ(block.mid_channels, block.input.channels * (depth + 1));
    }
  }
}

/// Decision indices by group and position.
int decision_at(const Space& space, const std::string& group, int index) {
  for (std::size_t i = 0; i < space.decisions().size(); ++i) {
    if (space.decisions()[i].group == group && space.decisions()[i].index == index) {
      return static_cast<int>(i);
    }
  }
  ADD_FAILURE() << group << index;
  return 0;
}

bool differs(const Arch& a, const Arch& b, int i) {
  return a.choices[static_cast<std::size_t>(i)] != b.choices[static_cast<std::size_t>(i)];
}

TEST(MobileFamily, MutationRedrawsABlocksKernelAndExpansionTogether) {
  const auto space = make_space("ofa_mbv3_w1.0");
  const Arch parent = space->largest();
  const int kernel = decision_at(*space, "ks", 0);
  const int expansion = decision_at(*space, "e", 0);
  const int other = decision_at(*space, "ks", 1);
  constexpr int kTrials = 20000;
  constexpr double kRate = 0.1;
  Rng rng(1);
  int kernels = 0, expansions = 0, both = 0, with_other = 0, depths = 0, sizes = 0;
  for (int t = 0; t < kTrials; ++t) {
    const Arch child = space->mutate(parent, kRate, rng);
    EXPECT_EQ(child, space->canonical(child));
    kernels += differs(child, parent, kernel);
    expansions += differs(child, parent, expansion);
    both += differs(child, parent, kernel) && differs(child, parent, expansion);
    with_other += differs(child, parent, kernel) && differs(child, parent, other);
    depths += differs(child, parent, decision_at(*space, "d", 2));
    sizes += differs(child, parent, decision_at(*space, "r", 0));
  }
  const auto expect_rate = [](int hits, double rate, const char* what) {
    EXPECT_NEAR(hits, kTrials * rate, 4 * std::sqrt(kTrials * rate * (1 - rate))) << what;
  };
  // A redraw of three choices gives another one in two of three cases.
  expect_rate(kernels, kRate * 2 / 3, "kernel");
  expect_rate(expansions, kRate * 2 / 3, "expansion");
  expect_rate(both, kRate * 4 / 9, "both: one gene");
  expect_rate(with_other, kRate * kRate * 4 / 9, "two blocks: two genes");
  expect_rate(depths, kRate * 2 / 3, "depth");
  expect_rate(sizes, kRate * 24 / 25, "resolution");
}

TEST(MobileFamily, CrossoverInheritsABlockFromOneParent) {
  const auto space = make_space("ofa_mbv3_w1.0");
  const Arch a = space->largest();
  Arch b = a;
  for (std::size_t i = 0; i < b.choices.size(); ++i) {
    if (space->decisions()[i].group != "d") {
      b.choices[i] = 0;
    }
  }
  constexpr int kTrials = 4000;
  Rng rng(2);
  int from_b = 0, pairs = 0;
  for (int t = 0; t < kTrials; ++t) {
    const Arch child = space->crossover(a, b, rng);
    for (int block = 0; block < 20; ++block) {
      ASSERT_EQ(differs(child, a, decision_at(*space, "ks", block)),
                differs(child, a, decision_at(*space, "e", block)))
          << "block " << block;
    }
    const bool first = differs(child, a, decision_at(*space, "ks", 0));
    const bool second = differs(child, a, decision_at(*space, "ks", 1));
    from_b += first;
    pairs += first && second;
  }
  EXPECT_NEAR(from_b, kTrials / 2, 4 * std::sqrt(kTrials / 4.0));
  EXPECT_NEAR(pairs, kTrials / 4, 4 * std::sqrt(kTrials * 3 / 16.0)) << "blocks are independent";
}

TEST(MobileFamily, ElasticKernelsAreThoseOfStagesWithAChoice) {
  EXPECT_EQ(make_space("ofa_mbv3_w1.0")->elastic_kernels(), (std::vector<int>{3, 5, 7}));
  EXPECT_EQ(make_space("mbv3_28")->elastic_kernels(), (std::vector<int>{3, 5}));
  EXPECT_TRUE(make_space("deps_mbv3")->elastic_kernels().empty());
  EXPECT_TRUE(make_space("compofa_mbv3")->elastic_kernels().empty());
}

std::string refusal(const std::function<void(MobileSpec&)>& spoil) {
  MobileSpec spec = tiny_mobile();
  spoil(spec);
  return lathe::testing::text_thrown<std::invalid_argument>([&] { make_mobile_space(spec); });
}

TEST(MobileFamily, Refusals) {
  const std::string where = "[space::make_mobile_space] tiny_mobile: ";
  const std::string lacking = where + "every stage needs a depth, a kernel and an expansion";
  EXPECT_EQ(refusal([](MobileSpec& s) { s.stages[1].depths.clear(); }), lacking);
  EXPECT_EQ(refusal([](MobileSpec& s) { s.stages[0].kernels.clear(); }), lacking);
  EXPECT_EQ(refusal([](MobileSpec& s) { s.stages[0].expansions.clear(); }), lacking);
  const std::string depths = where + "a stage's depths must be ascending and at least 1";
  EXPECT_EQ(refusal([](MobileSpec& s) { s.stages[0].depths = {0, 1}; }), depths);
  EXPECT_EQ(refusal([](MobileSpec& s) { s.stages[0].depths = {3, 2}; }), depths);
  EXPECT_EQ(refusal([](MobileSpec& s) { s.stages[1].expansion_follows_depth = true; }),
            where + "tied depths and expansions must be as many");
}

TEST(MobileFamily, MobileNetV3For28x28) {
  const auto space = make_space("mbv3_28");
  EXPECT_GE(space->log10_num_nets(), 9.0);
  EXPECT_EQ(space->decisions().size(), 12U + 12U + 4U);
  const std::int64_t smallest = graph::macs(space->graph(space->smallest()));
  const std::int64_t largest = graph::macs(space->graph(space->largest()));
  EXPECT_GT(smallest, 0);
  EXPECT_LE(4 * smallest, largest);
  EXPECT_LT(graph::params(space->graph(space->smallest())),
            graph::params(space->graph(space->largest())));
  // Both extremes of size and of the decisions coincide.
  Rng rng(4);
  for (int t = 0; t < 100; ++t) {
    const std::int64_t macs = graph::macs(space->graph(space->sample(rng)));
    EXPECT_GE(macs, smallest);
    EXPECT_LE(macs, largest);
  }
  int with_se = 0;
  for (const Block& block : space->blocks(space->largest())) {
    with_se += block.squeeze_excite;
  }
  EXPECT_EQ(with_se, 9);
}

TEST(MobileFamily, ProxylessHasASixthStageOfOneBlockWithoutADepthChoice) {
  const auto space = make_space("ofa_proxyless_w1.3");
  int kernels = 0, expansions = 0, depths = 0;
  for (const Decision& decision : space->decisions()) {
    kernels += decision.group == "ks";
    expansions += decision.group == "e";
    depths += decision.group == "d";
  }
  EXPECT_EQ(kernels, 21);
  EXPECT_EQ(expansions, 21);
  EXPECT_EQ(depths, 5);
  const graph::Graph net = space->graph(space->largest());
  for (const graph::Node& node : net.nodes()) {
    if (node.op == graph::Op::kBatchNorm) {
      EXPECT_EQ(node.eps, 1e-3);
    } else if (node.op == graph::Op::kActivation) {
      EXPECT_EQ(node.activation, graph::Activation::kRelu6);
    }
  }
}

TEST(MobileFamily, CompOfaTiesDepthAndExpansionAndFixesKernels) {
  const auto space = make_space("compofa_mbv3");
  const std::vector<int> kernels{3, 5, 3, 3, 5};
  for (int choice = 0; choice < 3; ++choice) {
    Arch arch = space->largest();
    for (std::size_t i = 0; i < 5; ++i) {
      ASSERT_EQ(space->decisions()[i].group, "d");
      arch.choices[i] = static_cast<std::uint8_t>(choice);
    }
    const int ratio = std::vector<int>{3, 4, 6}[static_cast<std::size_t>(choice)];
    int blocks = 0;
    for (const Block& block : space->blocks(arch)) {
      if (block.name.rfind("stages.", 0) == 0) {
        ++blocks;
        EXPECT_EQ(block.mid_channels, block.input.channels * ratio) << block.name;
        EXPECT_EQ(block.kernel, kernels[static_cast<std::size_t>(block.name[7] - '0')]);
      }
    }
    EXPECT_EQ(blocks, 5 * (choice + 2));
  }
}

}  // namespace
}  // namespace lathe::space
