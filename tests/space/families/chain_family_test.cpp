// The width chain: MobileNet-v1's against the paper's tables, small ones against brute force.
#include "lathe/space/families/chain_family.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/graph/counts.h"
#include "lathe/space/builtin_spaces.h"
#include "space/tiny_spaces.h"

namespace lathe::space {
namespace {

using lathe::testing::text_thrown;

ChainSpec tiny_chain() {
  return {
      .name = "tiny_chain",
      .task = {.in_channels = 2, .num_classes = 5, .input_size = 9},
      .layers = {{{4, 8}, 2, ChainLayerKind::kConv}, {{4, 6, 8}, 1}, {{4, 6, 8}, 1}, {{8, 16}, 2}}};
}

Arch net_of(const Space& space, const std::vector<int>& widths) {
  return space.from_json({{"widths", widths}}, "widths");
}

double mmacs(const Space& space, const Arch& arch) {
  return static_cast<double>(graph::macs(space.graph(arch))) / 1e6;
}

/// From the definition of the layers, without a graph.
std::int64_t macs_by_hand(const std::vector<double>& widths, const Task& task,
                          const std::vector<int>& strides) {
  std::int64_t total = 0;
  std::int64_t size = task.input_size;
  std::int64_t in = task.in_channels;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    size = (size + strides[i] - 1) / strides[i];
    const auto out = static_cast<std::int64_t>(widths[i]);
    total += size * size * (i == 0 ? 9 * in * out : 9 * in + in * out);
    in = out;
  }
  return total + in * task.num_classes;
}

TEST(MobilenetV1Widths, OffersThePapersTable) {
  const auto space = make_space("mobilenet_v1_widths");
  const std::vector<std::vector<double>> table{
      {8, 16, 24, 32, 40, 48},
      {16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96},
      {24, 40, 48, 64, 80, 88, 104, 112, 128, 144, 152, 168, 176, 192},
      {48, 80, 104, 128, 152, 176, 208, 232, 256, 280, 304, 336, 360, 384},
      {104, 152, 208, 256, 304, 360, 408, 464, 512, 560, 616, 664, 720, 768},
      {208, 304, 408, 512, 616, 720, 816, 920, 1024, 1128, 1232, 1328, 1432, 1536}};
  const std::vector<std::size_t> row{0, 1, 2, 2, 3, 3, 4, 4, 4, 4, 4, 4, 5, 5};
  ASSERT_EQ(space->decisions().size(), 14U);
  for (std::size_t i = 0; i < row.size(); ++i) {
    EXPECT_EQ(space->decisions()[i].values, table[row[i]]) << i;
  }
}

TEST(MobilenetV1Widths, Counts) {
  const auto space = make_space("mobilenet_v1_widths");
  EXPECT_EQ(space->encoding_size(), 185);
  EXPECT_NEAR(std::pow(10.0, space->log10_num_nets()) / 3.74e15, 1.0, 0.001);
  ASSERT_EQ(space->slots().size(), 15U);
  int entries = 0;
  for (int s = 0; s < 15; ++s) {
    space->for_each_assignment(s, [&](const Arch& arch) {
      ++entries;
      ASSERT_EQ(space->blocks(arch, s).size(), 1U);
    });
  }
  EXPECT_EQ(entries, 2396);
  EXPECT_EQ(space->distinct_blocks().size(), 1612U);
}

TEST(MobilenetV1Widths, PublishedNetsHaveTheirMacs) {
  const auto space = make_space("mobilenet_v1_widths");
  const auto rounded = [&](const std::vector<int>& widths) {
    return std::lround(mmacs(*space, net_of(*space, widths)));
  };
  EXPECT_EQ(rounded({32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024}), 569);
  EXPECT_EQ(rounded({8, 24, 40, 48, 104, 128, 208, 304, 768, 360, 720, 616, 1536, 1128}), 425);
  EXPECT_EQ(rounded({8, 32, 64, 80, 128, 232, 408, 464, 512, 512, 464, 464, 1024, 1328}), 404);
  EXPECT_EQ(rounded({8, 16, 48, 64, 128, 256, 512, 512, 512, 512, 464, 512, 1536, 1536}), 487);
  EXPECT_EQ(std::lround(mmacs(*space, space->largest())), 1258);
  EXPECT_EQ(std::lround(mmacs(*space, space->smallest())), 29);
}

TEST(MobilenetV1Widths, MobilenetHasThePublishedParameters) {
  const auto space = make_space("mobilenet_v1_widths");
  const Arch mobilenet =
      net_of(*space, {32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024});
  EXPECT_EQ(graph::params(space->graph(mobilenet)), 4231976);
}

TEST(ChainSpace, MacsAreThoseOfTheLayers) {
  const auto tiny = make_chain_space(tiny_chain());
  const auto count = [&](const Space& space, const Arch& arch, const std::vector<int>& strides) {
    std::vector<double> widths;
    for (std::size_t i = 0; i < arch.choices.size(); ++i) {
      widths.push_back(space.decisions()[i].values[arch.choices[i]]);
    }
    return macs_by_hand(widths, space.task(), strides);
  };
  for (const Arch& arch : testing::every_arch(*tiny)) {
    EXPECT_EQ(graph::macs(tiny->graph(arch)), count(*tiny, arch, {2, 1, 1, 2}));
  }
  for (int size : {49, 64, 97}) {
    const auto space = make_space("mobilenet_v1_widths", {.num_classes = 10, .input_size = size});
    Rng rng(1);
    for (int i = 0; i < 5; ++i) {
      const Arch arch = space->sample(rng);
      EXPECT_EQ(graph::macs(space->graph(arch)),
                count(*space, arch, {2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1}));
    }
  }
}

TEST(ChainSpace, DistinctBlocksAreThoseOfAllNets) {
  const auto space = make_chain_space(tiny_chain());
  std::vector<Block> all;
  std::set<std::string> nets;
  for (const Arch& arch : testing::every_arch(*space)) {
    const std::vector<Block> blocks = space->blocks(arch);
    all.insert(all.end(), blocks.begin(), blocks.end());
    nets.insert(testing::net_key(blocks));
  }
  EXPECT_EQ(testing::keys_of(space->distinct_blocks()), testing::keys_of(all));
  EXPECT_EQ(nets.size(), 36U);
  EXPECT_NEAR(std::pow(10.0, space->log10_num_nets()), 36.0, 1e-9);
  // Stems; 6 and 9 layers at stride 1, of which 6 are the same; layers at stride 2; classifiers.
  EXPECT_EQ(space->distinct_blocks().size(), 2U + (6 + 9 - 6) + 6 + 2);
}

TEST(ChainSpace, JsonIsTheListOfWidths) {
  const auto space = make_space("mobilenet_v1_widths", {.input_size = 64});
  const Arch smallest = space->smallest();
  EXPECT_EQ(space->to_json(smallest).dump(),
            R"({"space":"mobilenet_v1_widths","widths":[8,16,24,24,48,48,104,104,104,104,104,104,)"
            R"(208,208],"r":64})");
  EXPECT_EQ(space->from_json(space->to_json(smallest), "a.json"), smallest);
  EXPECT_EQ(text_thrown<Error>([&] { net_of(*space, {8}); }),
            "widths: \"widths\" needs 14 values, got 1");
  EXPECT_EQ(text_thrown<Error>([&] {
              net_of(*space, {9, 16, 24, 24, 48, 48, 104, 104, 104, 104, 104, 104, 208, 208});
            }),
            "widths: \"widths\"[0] must be one of 8, 16, 24, 32, 40, 48, got 9");
}

TEST(ChainSpace, RefusesBadSpecs) {
  const auto text = [](auto spoil) {
    ChainSpec spec = tiny_chain();
    spoil(spec);
    return text_thrown<std::invalid_argument>([&] { make_chain_space(spec); });
  };
  const std::string where = "[space::make_chain_space] tiny_chain: ";
  EXPECT_EQ(text([](ChainSpec& s) { s.layers.clear(); }), where + "needs a layer");
  EXPECT_EQ(text([](ChainSpec& s) { s.layers[1].stride = 0; }),
            where + "layer 1 needs strides >= 1");
  EXPECT_EQ(text([](ChainSpec& s) { s.layers[1].widths.clear(); }),
            where + "layer 1 needs widths >= 1");
  EXPECT_EQ(text([](ChainSpec& s) {
              s.layers[0].widths = {0, 8};
            }),
            where + "layer 0 needs widths >= 1");
  EXPECT_EQ(text([](ChainSpec& s) {
              s.layers[2].widths = {8, 8};
            }),
            where + "layer 2 needs ascending widths");
  EXPECT_EQ(text([](ChainSpec& s) { s.layers[1].kernel = 4; }),
            where + "layer 1 needs an odd kernel");
  EXPECT_EQ(text([](ChainSpec& s) { s.layers[1].expansion = 0.5; }),
            where + "layer 1 needs an expansion >= 1");
}

TEST(ChainSpace, RefusesShortcutsThatDontFit) {
  const auto text = [](std::size_t layer, auto spoil) {
    ChainSpec spec = testing::tiny_residual_chain();
    spoil(spec.layers[layer]);
    return text_thrown<std::invalid_argument>([&] { make_chain_space(spec); });
  };
  const std::string where = "[space::make_chain_space] tiny_residual_chain: layer ";
  EXPECT_EQ(text(2, [](ChainLayer& l) { l.shortcut_from = 2; }),
            where + "2 can only add the output of an earlier layer, got 2");
  EXPECT_EQ(text(6, [](ChainLayer& l) { l.shortcut_from = 5; }),
            where + "6 is separable and can't have a shortcut");
  const std::string before =
      " is an mbconv: its shortcut comes from the layer before, whose width it shares";
  EXPECT_EQ(text(5, [](ChainLayer& l) { l.shortcut_from = 2; }), where + "5" + before);
  EXPECT_EQ(text(7, [](ChainLayer& l) { l.shortcut_from = 6; }), where + "7" + before);
  EXPECT_EQ(text(4, [](ChainLayer& l) { l.widths.clear(); }),
            where +
                "4 shares the width of layer 2, but there is a stride between them; give it "
                "widths of its own");
}

TEST(ResidualChain, LayersThatAreAddedShareTheirWidth) {
  const auto space = make_chain_space(testing::tiny_residual_chain());
  ASSERT_EQ(space->decisions().size(), 6U);
  EXPECT_FALSE(space->is_chain());
  const Arch arch = net_of(*space, {6, 4, 8, 12, 16, 10});
  std::vector<std::string> keys;
  for (const Block& block : space->blocks(arch)) {
    keys.push_back(block.name + ": " + block.key());
  }
  EXPECT_EQ(
      keys,
      (std::vector<std::string>{
          "stem: conv 18x18x2 -> 18x18x6 k3 s1 relu", "stem.pool: max_pool 18x18x6 -> 9x9x6 k3 s2",
          "layers.1: conv 9x9x6 -> 9x9x4 k3 s1 relu", "layers.2: conv 9x9x4 -> 9x9x6 k3 s1",
          "layers.2.sum: shortcut_sum 9x9x6 -> 9x9x6 relu",
          "layers.3: conv 9x9x6 -> 5x5x8 k3 s2 relu",
          "layers.4.shortcut: conv 9x9x6 -> 5x5x12 k1 s2", "layers.4: conv 5x5x8 -> 5x5x12 k3 s1",
          "layers.4.sum: shortcut_sum 5x5x12 -> 5x5x12 relu",
          "layers.5: mbconv 5x5x12 -> 5x5x12 mid 24 k3 s1 residual relu",
          "layers.6: separable_conv 5x5x12 -> 3x3x16 k3 s2 relu",
          "layers.7: mbconv 3x3x16 -> 3x3x10 mid 96 k5 s1 relu",
          "classifier: classifier 3x3x10 -> 1x1x5"}));
  // Whatever the widths, the blocks are those of the net that runs, operation by operation.
  for (const Arch& each : testing::every_arch(*space)) {
    std::int64_t macs = 0;
    std::int64_t params = 0;
    for (const Block& block : space->blocks(each)) {
      const graph::Graph alone = lower({&block, 1});
      macs += graph::macs(alone);
      params += graph::params(alone);
    }
    const graph::Graph net = space->graph(each);
    EXPECT_EQ(graph::macs(net), macs);
    EXPECT_EQ(graph::params(net), params);
    EXPECT_EQ(net.output_shape(), (graph::Shape{5, 1, 1}));
  }
}

TEST(ResidualChain, TheBranchAndItsShortcutMeetBeforeTheActivation) {
  const auto space = make_chain_space(testing::tiny_residual_chain());
  const graph::Graph net = space->graph(space->largest());
  std::vector<std::string> sums;
  for (int i = 0; i < net.size(); ++i) {
    if (net[i].op == graph::Op::kAdd) {
      const graph::Node& shortcut = net[net[i].inputs[1]];
      sums.push_back(net[net[i].inputs[0]].name + " + " +
                     (shortcut.op == graph::Op::kBatchNorm ? shortcut.name : "a map") +
                     (net[i + 1].op == graph::Op::kActivation ? ", relu" : ""));
    }
  }
  EXPECT_EQ(sums, (std::vector<std::string>{"layers.2.bn + a map, relu",
                                            "layers.4.bn + layers.4.shortcut.bn, relu",
                                            "layers.5.project.bn + a map"}));
}

TEST(ResidualChain, SlotsSeeTwoDecisionsAtMost) {
  for (const char* name : {"resnet18_widths", "resnet34_widths"}) {
    const auto space = make_space(name, {.input_size = 32});
    for (const Slot& slot : space->slots()) {
      EXPECT_LE(slot.decisions.size(), 2U) << name;
    }
  }
}

TEST(ResnetWidths, ResnetsHaveTheirPublishedMacsAndParameters) {
  const auto resnet18 = make_space("resnet18_widths");
  ASSERT_EQ(resnet18->decisions().size(), 12U);
  const graph::Graph net18 =
      resnet18->graph(net_of(*resnet18, {64, 64, 64, 128, 128, 128, 256, 256, 256, 512, 512, 512}));
  EXPECT_EQ(graph::params(net18), 11689512);
  EXPECT_EQ(graph::macs(net18), 1814073344);
  const auto resnet34 = make_space("resnet34_widths");
  std::vector<int> widths(4, 64);
  widths.insert(widths.end(), 5, 128);
  widths.insert(widths.end(), 7, 256);
  widths.insert(widths.end(), 4, 512);
  const graph::Graph net34 = resnet34->graph(net_of(*resnet34, widths));
  EXPECT_EQ(graph::params(net34), 21797672);
  EXPECT_EQ(graph::macs(net34), 3663761408);
}

TEST(ResnetWidths, SmallImagesKeepTheirSizeInTheStem) {
  for (const int size : {28, 32}) {
    const auto resnet = make_space("resnet18_widths", {.num_classes = 10, .input_size = size});
    const std::vector<Block> blocks = resnet->blocks(resnet->largest());
    EXPECT_EQ(blocks[0].output.height, size);
    EXPECT_EQ(blocks[0].kernel, 3);
    EXPECT_EQ(blocks[1].kind, BlockKind::kConv);
    EXPECT_EQ(blocks.back().input.height, (size + 7) / 8);
    const auto mobilenet = make_space("mobilenet_v1_widths", {.input_size = size});
    EXPECT_EQ(mobilenet->blocks(mobilenet->largest())[0].output.height, size);
    EXPECT_EQ(mobilenet->blocks(mobilenet->largest()).back().input.height, 2);
  }
  EXPECT_EQ(make_space("resnet18_widths", {.input_size = 49})
                ->blocks(Arch{std::vector<std::uint8_t>(12, 0)})[0]
                .kernel,
            7);
}

TEST(WidthScale, IsAPartOfTheName) {
  const auto quarter = make_space("mobilenet_v1_widths_x0.25", {.input_size = 28});
  EXPECT_EQ(quarter->name(), "mobilenet_v1_widths_x0.25");
  EXPECT_EQ(quarter->decisions()[0].values, (std::vector<double>{8, 16}));
  EXPECT_EQ(quarter->decisions()[6].values,
            (std::vector<double>{24, 40, 48, 64, 80, 88, 104, 112, 128, 144, 152, 168, 176, 192}));
  EXPECT_EQ(scaled_widths_name("mobilenet_v1_widths", 0.25), "mobilenet_v1_widths_x0.25");
  EXPECT_EQ(scaled_widths_name("resnet18_widths_x2", 1), "resnet18_widths");
  EXPECT_EQ(scaled_widths_name("resnet34_widths", 0.125), "resnet34_widths_x0.125");
  EXPECT_FALSE(is_space_name("mobilenet_v1_widths_x0.250"));
  EXPECT_FALSE(is_space_name("mobilenet_v1_widths_x1"));
  EXPECT_FALSE(is_space_name("mobilenet_v1_widths_x9"));
  EXPECT_FALSE(is_space_name("mbv3_28_x0.5"));
  EXPECT_EQ(text_thrown<Error>([] { scaled_widths_name("mbv3_28", 0.5); }),
            "space \"mbv3_28\" has no width scale: expected one of mobilenet_v1_widths, "
            "resnet18_widths, resnet34_widths");
  EXPECT_EQ(
      text_thrown<Error>([] { scaled_widths_name("resnet18_widths", 0.01); }),
      "width scale: expected a number in [0.05, 4] with at most three decimals, got 0.010000");
}

}  // namespace
}  // namespace lathe::space
