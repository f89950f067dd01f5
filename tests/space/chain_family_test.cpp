// The width chain: MobileNet-v1's against the paper's tables, small ones against brute force.
#include "lathe/space/chain_family.h"

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
  return {.name = "tiny_chain",
          .task = {.in_channels = 2, .num_classes = 5, .input_size = 9},
          .layers = {{{4, 8}, 2}, {{4, 6, 8}, 1}, {{4, 6, 8}, 1}, {{8, 16}, 2}}};
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
  for (int size : {32, 64, 97}) {
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
            where + "every layer needs a stride");
  EXPECT_EQ(text([](ChainSpec& s) { s.layers[1].widths.clear(); }),
            where + "every layer needs widths >= 1");
  EXPECT_EQ(text([](ChainSpec& s) {
              s.layers[0].widths = {0, 8};
            }),
            where + "every layer needs widths >= 1");
  EXPECT_EQ(text([](ChainSpec& s) {
              s.layers[2].widths = {8, 8};
            }),
            where + "widths must be ascending");
}

}  // namespace
}  // namespace lathe::space
