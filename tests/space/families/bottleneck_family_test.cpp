// The bottleneck family: against a listing of every arch of a tiny space, and by hand.
#include "lathe/space/families/bottleneck_family.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/space/builtin_spaces.h"
#include "space/tiny_spaces.h"

namespace lathe::space {
namespace {

using lathe::testing::every_arch;
using lathe::testing::keys_of;
using lathe::testing::tiny_bottleneck;

std::vector<BottleneckSpec> tiny_specs() {
  BottleneckSpec single = tiny_bottleneck();  // no stage ever has a second block
  single.name = "tiny_single_bottleneck";
  single.extra_depths = {0};
  single.resolutions = {32, 40};
  BottleneckSpec triple = tiny_bottleneck();
  triple.name = "tiny_triple_stride_bottleneck";
  triple.stages = {{.channels = 64, .stride = 3, .base_depth = 2}};
  return {tiny_bottleneck(), single, triple};
}

TEST(BottleneckFamily, CountsTheNetsThatThereAre) {
  for (const BottleneckSpec& spec : tiny_specs()) {
    const auto space = make_bottleneck_space(spec);
    std::set<std::string> nets;
    std::set<Arch> archs;
    for (const Arch& arch : every_arch(*space)) {
      archs.insert(space->canonical(arch));
      nets.insert(lathe::testing::net_key(space->blocks(arch)));
    }
    const std::size_t resolutions = std::max<std::size_t>(1, spec.resolutions.size());
    const auto counted =
        std::llround(std::pow(10.0, space->log10_num_nets())) * static_cast<long long>(resolutions);
    EXPECT_EQ(counted, static_cast<long long>(archs.size())) << spec.name;
    EXPECT_EQ(counted, static_cast<long long>(nets.size())) << spec.name;
  }
}

TEST(BottleneckFamily, DistinctBlocksAreThoseOfAllArchs) {
  for (const BottleneckSpec& spec : tiny_specs()) {
    const auto space = make_bottleneck_space(spec);
    std::set<std::string> keys;
    for (const Arch& arch : every_arch(*space)) {
      keys.merge(keys_of(space->blocks(arch)));
    }
    const std::vector<Block> distinct = space->distinct_blocks();
    EXPECT_EQ(keys_of(distinct), keys) << spec.name;
    EXPECT_EQ(distinct.size(), keys.size()) << spec.name << ": a key twice";
  }
}

TEST(BottleneckFamily, EveryArchOfATinySpaceLowers) {
  for (const BottleneckSpec& spec : tiny_specs()) {
    const auto space = make_bottleneck_space(spec);
    for (const Arch& arch : every_arch(*space)) {
      EXPECT_EQ(space->graph(arch).output_shape(), (graph::Shape{5, 1, 1})) << spec.name;
    }
  }
}

TEST(BottleneckFamily, DecisionsAreDepthsExpansionsWidthsResolution) {
  const auto space = make_space("ofa_resnet50d");
  std::string groups;
  for (const Decision& decision : space->decisions()) {
    groups += decision.group;
  }
  EXPECT_EQ(groups, "ddddd" + std::string(18, 'e') + "wwwwwwr");
  EXPECT_EQ(space->decisions()[0].values, (std::vector<double>{0, 2}));
  EXPECT_EQ(space->decisions()[1].values, (std::vector<double>{0, 1, 2}));
  EXPECT_TRUE(space->elastic_kernels().empty());
}

TEST(BottleneckFamily, BlocksBeyondAStagesDepthAreDead) {
  const auto space = make_bottleneck_space(tiny_bottleneck());
  // d0 d1 d2 | two blocks of each stage | w0..w3; all smallest.
  const std::vector<bool> alive{true, true, true, true, false, true, false, true, true, true, true};
  for (std::size_t i = 0; i < alive.size(); ++i) {
    EXPECT_EQ(space->alive(space->smallest(), static_cast<int>(i)), alive[i]) << i;
    EXPECT_TRUE(space->alive(space->largest(), static_cast<int>(i))) << i;
  }
  EXPECT_EQ(space->canonical(Arch{{1, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0}}),
            (Arch{{1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0}}));
}

TEST(BottleneckFamily, BlocksOfTheSmallestAndTheLargestArch) {
  const auto space = make_bottleneck_space(tiny_bottleneck());
  const auto keys = [&](const Arch& arch) {
    std::vector<std::string> list;
    for (const Block& block : space->blocks(arch)) {
      list.push_back(block.name + ": " + block.key());
    }
    return list;
  };
  EXPECT_EQ(keys(space->smallest()),
            (std::vector<std::string>{
                "stem.0: conv 32x32x3 -> 16x16x8 k3 s2 relu",
                "stem.2: conv 16x16x8 -> 16x16x16 k3 s1 relu",
                "stem.pool: max_pool 16x16x16 -> 8x8x16 k3 s2",
                "stages.0.blocks.0: bottleneck 8x8x16 -> 8x8x32 mid 8 k3 s1 relu",
                "stages.1.blocks.0: bottleneck 8x8x32 -> 4x4x64 mid 16 k3 s2 relu",
                "pool: global_pool 4x4x64 -> 1x1x64",
                "classifier: classifier 1x1x64 -> 1x1x5",
            }));
  EXPECT_EQ(keys(space->largest()),
            (std::vector<std::string>{
                "stem.0: conv 32x32x3 -> 16x16x16 k3 s2 relu",
                "stem.1: residual_conv 16x16x16 -> 16x16x16 k3 s1 relu",
                "stem.2: conv 16x16x16 -> 16x16x32 k3 s1 relu",
                "stem.pool: max_pool 16x16x32 -> 8x8x32 k3 s2",
                "stages.0.blocks.0: bottleneck 8x8x32 -> 8x8x64 mid 32 k3 s1 relu",
                "stages.0.blocks.1: bottleneck 8x8x64 -> 8x8x64 mid 32 k3 s1 residual relu",
                "stages.1.blocks.0: bottleneck 8x8x64 -> 4x4x128 mid 64 k3 s2 relu",
                "stages.1.blocks.1: bottleneck 4x4x128 -> 4x4x128 mid 64 k3 s1 residual relu",
                "pool: global_pool 4x4x128 -> 1x1x128",
                "classifier: classifier 1x1x128 -> 1x1x5",
            }));
}

struct PublishedWidths {
  std::uint8_t choice;
  int stem_mid;
  int stem_out;
  std::vector<int> stages;
};

// Once-for-all's ResNet50D at its three width multipliers.
TEST(BottleneckFamily, ResNet50dHasThePublishedWidths) {
  const auto space = make_space("ofa_resnet50d", {.input_size = 224});
  const std::vector<PublishedWidths> table{{0, 24, 40, {168, 336, 664, 1328}},
                                           {1, 24, 48, {208, 408, 816, 1640}},
                                           {2, 32, 64, {256, 512, 1024, 2048}}};
  for (const PublishedWidths& row : table) {
    Arch arch = space->largest();
    for (std::size_t i = 0; i < arch.choices.size(); ++i) {
      if (space->decisions()[i].group == "w") {
        arch.choices[i] = row.choice;
      }
    }
    std::vector<int> depths(4, 0);
    for (const Block& block : space->blocks(arch)) {
      if (block.name == "stem.0" || block.name == "stem.1") {
        EXPECT_EQ(block.output.channels, row.stem_mid);
      } else if (block.name == "stem.2" || block.name == "stem.pool") {
        EXPECT_EQ(block.output.channels, row.stem_out);
      } else if (block.kind == BlockKind::kBottleneck) {
        const auto stage = static_cast<std::size_t>(block.name[7] - '0');
        EXPECT_EQ(block.output.channels, row.stages[stage]) << block.name;
        ++depths[stage];
      }
    }
    EXPECT_EQ(depths, (std::vector<int>{4, 4, 6, 4}));
  }
}

TEST(BottleneckFamily, EachWidthDecisionSetsItsOwnPart) {
  const auto space = make_space("ofa_resnet50d", {.input_size = 224});
  const Arch largest = space->largest();
  const std::vector<int> full{32, 64, 256, 512, 1024, 2048};
  const std::vector<int> reduced{24, 40, 168, 336, 664, 1328};
  for (std::size_t w = 0; w < 6; ++w) {
    Arch arch = largest;
    arch.choices[23 + w] = 0;
    std::vector<int> widths;
    for (const Block& block : space->blocks(arch)) {
      if (block.name == "stem.0" || block.name == "stem.2" || block.name.ends_with("blocks.0")) {
        widths.push_back(block.output.channels);
      }
    }
    std::vector<int> expected = full;
    expected[w] = reduced[w];
    EXPECT_EQ(widths, expected) << w;
  }
}

TEST(BottleneckFamily, TheFirstDepthKeepsOrDropsTheStemsResidual) {
  const auto space = make_space("ofa_resnet50d");
  Arch arch = space->largest();
  EXPECT_EQ(space->blocks(arch)[1].kind, BlockKind::kResidualConv);
  const std::size_t blocks = space->blocks(arch).size();
  arch.choices[0] = 0;
  EXPECT_EQ(space->blocks(arch)[1].name, "stem.2") << "parameters keep their names";
  EXPECT_EQ(space->blocks(arch).size(), blocks - 1);
}

TEST(BottleneckFamily, EveryDecisionMutatesOnItsOwn) {
  const auto space = make_space("ofa_resnet50d");
  const Arch parent = space->largest();
  constexpr int kTrials = 20000;
  constexpr double kRate = 0.1;
  Rng rng(1);
  int first = 0, both = 0;
  for (int t = 0; t < kTrials; ++t) {
    const Arch child = space->mutate(parent, kRate, rng);
    const bool a = child.choices[5] != parent.choices[5];  // "e" of the first two blocks
    const bool b = child.choices[6] != parent.choices[6];
    first += a;
    both += a && b;
  }
  const auto expect_rate = [](int hits, double rate) {
    EXPECT_NEAR(hits, kTrials * rate, 4 * std::sqrt(kTrials * rate * (1 - rate)));
  };
  expect_rate(first, kRate * 2 / 3);
  expect_rate(both, kRate * kRate * 4 / 9);
}

std::string refusal(const std::function<void(BottleneckSpec&)>& spoil) {
  BottleneckSpec spec = tiny_bottleneck();
  spoil(spec);
  return lathe::testing::text_thrown<std::invalid_argument>([&] { make_bottleneck_space(spec); });
}

TEST(BottleneckFamily, Refusals) {
  const std::string where = "[space::make_bottleneck_space] tiny_bottleneck: ";
  const std::string lacking = where + "needs a stage, an extra depth, an expansion and a width";
  EXPECT_EQ(refusal([](BottleneckSpec& s) { s.stages.clear(); }), lacking);
  EXPECT_EQ(refusal([](BottleneckSpec& s) { s.extra_depths.clear(); }), lacking);
  EXPECT_EQ(refusal([](BottleneckSpec& s) { s.expansions.clear(); }), lacking);
  EXPECT_EQ(refusal([](BottleneckSpec& s) { s.widths.clear(); }), lacking);
  const std::string stage =
      where + "every stage needs channels, a stride and at least one block at its shallowest";
  EXPECT_EQ(refusal([](BottleneckSpec& s) { s.stages[1].channels = 0; }), stage);
  EXPECT_EQ(refusal([](BottleneckSpec& s) { s.stages[0].stride = 0; }), stage);
  EXPECT_EQ(refusal([](BottleneckSpec& s) { s.stages[0].base_depth = 0; }), stage);
}

}  // namespace
}  // namespace lathe::space
