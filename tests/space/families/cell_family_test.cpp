// Cell nets: published counts to the unit, encoding, operators, and the graph against the blocks.
#include "lathe/space/families/cell_family.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/graph/counts.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/slot_chain.h"
#include "lathe/space/slot_costs.h"
#include "naive_executor.h"
#include "net_fixtures.h"
#include "space/published_cells.h"

namespace lathe::space {
namespace {

using graph::Shape;
using lathe::testing::text_thrown;

Arch published(const Space& space, const char* text) {
  return space.from_json(genotype_from_text(text, "genotype"), "genotype");
}

/// Small enough to run by plain loops: one normal and two reduction cells.
std::unique_ptr<Space> tiny_cells(const TaskOverrides& overrides = {.input_size = 8}) {
  return make_space("darts_c4_l3", overrides);
}

struct Published {
  const char* genotype;
  std::int64_t cifar_params, imagenet_params;
  double cifar_mmacs, imagenet_mmacs;
};

TEST(CellCounts, OfThePublishedNets) {
  const std::vector<Published> nets{
      {testing::kDartsV1, 3169414, 4510432, 501.0, 505.9},
      {testing::kDartsV2, 3349342, 4718752, 528.4, 529.9},
      {testing::kPcDartsCifar, 3634678, 5270560, 556.7, 571.1},
      {testing::kPcDartsImage, 3721510, 5342464, 570.5, 581.6},
  };
  const auto cifar = make_space("darts");
  const auto imagenet = make_space("darts_imagenet");
  const auto mmacs = [](const graph::Graph& g) {
    return static_cast<double>(graph::macs(g)) / 1e6;
  };
  for (const Published& net : nets) {
    const graph::Graph small = cifar->graph(published(*cifar, net.genotype));
    const graph::Graph large = imagenet->graph(published(*imagenet, net.genotype));
    EXPECT_EQ(graph::params(small), net.cifar_params);
    EXPECT_EQ(graph::params(large), net.imagenet_params);
    EXPECT_NEAR(mmacs(small), net.cifar_mmacs, 0.05);
    EXPECT_NEAR(mmacs(large), net.imagenet_mmacs, 0.05);
  }
}

TEST(CellCounts, OfTheSearchNetThatHasEveryOperationOnEveryEdge) {
  const auto space = make_space("darts_c16_l8");
  std::map<std::string, Block> blocks;  // by name, hence by cell, edge and operation
  for (int s = 0; s < static_cast<int>(space->slots().size()); ++s) {
    space->for_each_assignment(s, [&](const Arch& arch) {
      for (const Block& block : space->blocks(arch, s)) {
        blocks[block.name] = block;
      }
    });
  }
  std::int64_t macs = 0;
  std::int64_t params = 0;
  for (const auto& [name, block] : blocks) {
    const graph::Graph alone = lower({&block, 1});
    macs += graph::macs(alone);
    params += graph::params(alone);
    for (const graph::ParameterSpec& spec : graph::parameters_of(alone)) {
      using Role = graph::ParameterSpec::Role;
      const bool affine = spec.op == graph::Op::kBatchNorm &&
                          (spec.role == Role::kWeight || spec.role == Role::kBias);
      params -= affine && name != "stem" ? spec.shape[0] : 0;  // none while searching
    }
  }
  EXPECT_EQ(params, 1930618);
  EXPECT_NEAR(static_cast<double>(macs) / 1e6, 300.3, 0.05);
}

TEST(CellCounts, AuxiliaryHeadOfTheCifarNet) {
  const auto without = make_space("darts");
  const auto with = make_space("darts", {.auxiliary = true});
  const Arch arch = published(*without, testing::kDartsV1);
  const graph::Graph net = with->graph(arch);
  EXPECT_EQ(graph::params(net) - graph::params(without->graph(arch)), 476426);
  EXPECT_EQ(net.output_shape(), (Shape{20, 1, 1}));
  // 28x28: maps of 7 after the second reduction, pooled with stride 2; ImageNet the same.
  EXPECT_EQ(make_space("darts_aux", {.input_size = 28})->graph(arch).output_shape().channels, 20);
  EXPECT_EQ(make_space("darts_imagenet_aux")->graph(arch).output_shape().channels, 2000);
}

TEST(CellCounts, CellsOfEachKind) {
  const auto space = make_space("darts");
  EXPECT_NEAR(space->log10_num_nets(), 2 * std::log10(1037664180.0), 1e-9);
  EXPECT_NEAR(make_space("darts_l1")->log10_num_nets(), std::log10(1037664180.0), 1e-9);
  EXPECT_EQ(space->encoding_size(), 224);
  EXPECT_EQ(make_space("darts_l2")->encoding_size(), 112);
}

TEST(CellNames, FollowTheNet) {
  EXPECT_EQ(make_space("darts")->name(), "darts");
  EXPECT_EQ(make_space("darts", {.init_channels = 16, .cells = 8})->name(), "darts_c16_l8");
  EXPECT_EQ(make_space("darts_l8")->name(), "darts_l8");
  EXPECT_EQ(make_space("darts_c36_l20")->name(), "darts") << "the published numbers";
  EXPECT_EQ(make_space("darts", {.stem = CellStem::kImagenet})->name(), "darts_imagenet");
  EXPECT_EQ(
      make_space("darts", {.stem = CellStem::kImagenet, .cells = 5, .auxiliary = true})->name(),
      "darts_imagenet_l5_aux");
  EXPECT_EQ(make_space("darts", {.stem = CellStem::kImagenet})->task().input_size, 224);
  EXPECT_TRUE(is_space_name("darts_imagenet_c24_l9_aux"));
  EXPECT_FALSE(is_space_name("darts_l9_c24"));
  EXPECT_FALSE(is_space_name("dart"));
  EXPECT_EQ(text_thrown<Error>([] { make_space("mbv3_28", {.cells = 3}); }),
            "space mbv3_28 has no cells: a stem, channels, cells and an auxiliary head can be "
            "given to darts only");
}

TEST(CellSpace, EncodesTheEdgesAndTheirOperations) {
  const auto space = make_space("darts");
  const Arch arch = published(*space, testing::kDartsV2);
  std::set<int> bits;
  const std::vector<float> code = space->encode(arch);
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i] == 1.0F) {
      bits.insert(static_cast<int>(i));
    } else {
      EXPECT_EQ(code[i], 0.0F);
    }
  }
  // Edge * 8 + operation; edges of the nodes start at 0, 2, 5 and 9.
  EXPECT_EQ(bits,
            (std::set<int>{0 * 8 + 4, 1 * 8 + 4, 2 * 8 + 4, 3 * 8 + 4, 5 * 8 + 3, 6 * 8 + 4,
                           9 * 8 + 3, 11 * 8 + 6,  // normal, then reduction
                           112 + 0 * 8 + 1, 112 + 1 * 8 + 1, 112 + 3 * 8 + 1, 112 + 4 * 8 + 3,
                           112 + 5 * 8 + 1, 112 + 7 * 8 + 3, 112 + 10 * 8 + 1, 112 + 11 * 8 + 3}));
  Rng rng(2);
  std::set<std::vector<float>> codes;
  for (int i = 0; i < 200; ++i) {
    const std::vector<float> other = space->encode(space->sample(rng));
    EXPECT_EQ(std::count(other.begin(), other.begin() + 112, 1.0F), 8);
    EXPECT_EQ(std::count(other.begin() + 112, other.end(), 1.0F), 8);
    codes.insert(other);
  }
  EXPECT_EQ(codes.size(), 200U);
}

TEST(CellSpace, SamplesEveryChoiceOfANodeEquallyOften) {
  const auto space = make_space("darts_l1");
  Rng rng(4);
  constexpr int kTrials = 49000;
  std::map<std::string, int> last_nodes;
  for (int t = 0; t < kTrials; ++t) {
    const auto json = space->to_json(space->sample(rng))["normal"];
    ++last_nodes[json[6].dump() + json[7].dump()];
  }
  EXPECT_EQ(last_nodes.size(), 490U);
  double chi_squared = 0;
  for (const auto& [node, count] : last_nodes) {
    chi_squared += std::pow(count - kTrials / 490.0, 2) / (kTrials / 490.0);
  }
  EXPECT_NEAR(chi_squared, 489, 5 * std::sqrt(2.0 * 489));
}

TEST(CellSpace, OperatorsStayInTheSpaceAndChildrenHaveTheirParentsParts) {
  const auto space = make_space("darts");
  Rng rng(5);
  int changed = 0;
  constexpr int kTrials = 500;
  for (int t = 0; t < kTrials; ++t) {
    const Arch a = space->sample(rng);
    const Arch b = space->sample(rng);
    const Arch mutant = space->mutate(a, 0.1, rng);
    const Arch child = space->crossover(a, b, rng);
    for (const Arch& arch : {mutant, child}) {
      EXPECT_EQ(space->from_json(space->to_json(arch), "arch"), arch);
    }
    for (std::size_t i = 0; i < a.choices.size(); ++i) {
      EXPECT_TRUE(child.choices[i] == a.choices[i] || child.choices[i] == b.choices[i]);
      changed += mutant.choices[i] != a.choices[i] ? 1 : 0;
    }
  }
  double expected = 0;  // a redrawn choice is another with probability 1 - 1 / choices
  for (const Decision& decision : space->decisions()) {
    expected += kTrials * 0.1 * (1 - 1.0 / decision.num_choices());
  }
  EXPECT_NEAR(changed, expected, 5 * std::sqrt(expected));
}

TEST(CellSpace, EquivalentsAreTheRelabellingsOfBothCells) {
  const auto space = make_space("darts");
  Rng rng(6);
  std::size_t largest = 0;
  for (int t = 0; t < 100; ++t) {
    const Arch arch = space->sample(rng);
    const std::vector<Arch> all = space->equivalents(arch);
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
    EXPECT_TRUE(std::binary_search(all.begin(), all.end(), arch));
    const auto json = nlohmann::json(space->to_json(arch));
    EXPECT_EQ(all.size(), relabellings(cell_from_json(json["normal"], "n")).size() *
                              relabellings(cell_from_json(json["reduce"], "r")).size());
    EXPECT_EQ(space->equivalents(all.back()), all);
    largest = std::max(largest, all.size());
  }
  EXPECT_GT(largest, 1U);
  const auto mobile = make_space("mbv3_28");
  EXPECT_EQ(mobile->equivalents(mobile->largest()), std::vector<Arch>{mobile->largest()});
}

TEST(CellSpace, EquivalentNetsHaveTheSameCosts) {
  const auto space = tiny_cells();
  Rng rng(7);
  for (int t = 0; t < 20; ++t) {
    const Arch arch = space->sample(rng);
    const graph::Graph net = space->graph(arch);
    for (const Arch& other : space->equivalents(arch)) {
      const graph::Graph same = space->graph(other);
      ASSERT_EQ(graph::macs(same), graph::macs(net));
      ASSERT_EQ(graph::params(same), graph::params(net));
    }
  }
}

TEST(CellSpace, CostsOfTheNetAreThoseOfItsSlots) {
  const auto alone = [](const Block& block) { return lower({&block, 1}); };
  for (const char* name : {"darts_c4_l6", "darts_imagenet_c8_l3", "darts_c4_l2"}) {
    const auto space = make_space(name, {.input_size = 32});
    const SlotCosts macs(
        *space, [&](const Block& block) { return static_cast<double>(graph::macs(alone(block))); });
    const SlotCosts params(*space, [&](const Block& block) {
      return static_cast<double>(graph::params(alone(block)));
    });
    Rng rng(8);
    for (int t = 0; t < 20; ++t) {
      const Arch arch = space->sample(rng);
      const graph::Graph net = space->graph(arch);
      EXPECT_EQ(macs.total(arch), static_cast<double>(graph::macs(net)));
      EXPECT_EQ(params.total(arch), static_cast<double>(graph::params(net)));
    }
    EXPECT_EQ(SlotChain(*space).minimum(macs).second, macs.total(space->smallest()));
    EXPECT_GE(macs.total(space->largest()), macs.total(space->sample(rng)));
  }
}

TEST(CellSpace, DistinctBlocksAreEveryOperationAtEveryPlace) {
  std::set<std::string> keys;
  const auto space = make_space("darts");
  for (const Block& block : space->distinct_blocks()) {
    keys.insert(block.key());
  }
  EXPECT_TRUE(keys.contains("sep_conv 32x32x36 -> 32x32x36 k3 s1"));
  EXPECT_TRUE(keys.contains("dil_conv 32x32x72 -> 16x16x72 k5 s2"));
  EXPECT_TRUE(keys.contains("factorized_reduce 32x32x72 -> 16x16x72 k1 s2"));
  EXPECT_TRUE(keys.contains("cell_sum 8x8x144 -> 8x8x576 k1 s1"));
  // 6 operations (a skip is free) at three sizes, 7 at two strides; a sum of each size; stem and
  // classifier; and what fits the inputs of cells: of the first, of the second, of the first
  // reduction and the two after it, of the second reduction and the two after it.
  EXPECT_EQ(keys.size(), 18U + 14 + 3 + 2 + 8);
}

TEST(CellSpace, ParametersAreNamedByEdgeAndOperation) {
  const auto space = tiny_cells();
  std::set<std::string> names;
  for (const graph::ParameterSpec& spec :
       graph::parameters_of(space->graph(published(*space, testing::kDartsV2)))) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
  }
  EXPECT_TRUE(names.contains("cells.0.edges.0.sep_conv_3x3.1.pointwise.weight"));
  EXPECT_TRUE(names.contains("cells.0.edges.11.dil_conv_3x3.bn.running_var"));
  EXPECT_TRUE(names.contains("cells.2.preprocess.0.even.weight"));
  EXPECT_TRUE(names.contains("classifier.linear.bias"));
}

/// One node's value in a hand-written evaluation of the whole net: cells wired from the genotype
/// with every block run alone by plain loops.
std::vector<double> by_blocks(const Space& space, const Arch& arch, const TensorMap& weights,
                              const std::vector<double>& image) {
  std::map<std::string, Block> blocks;
  for (const Block& block : space.blocks(arch)) {
    blocks[block.name] = block;
  }
  const auto run = [&](const std::string& name, const std::vector<double>& x) {
    return testing::execute_naively(graph::Net{lower({&blocks.at(name), 1}), weights}, x);
  };
  std::vector<double> before = run("stem", image);
  std::vector<double> last = before;
  const auto json = nlohmann::json(space.to_json(arch));
  for (int c = 0; c < 3; ++c) {
    const std::string cell = "cells." + std::to_string(c);
    const Cell genes = cell_from_json(json[c == 0 ? "normal" : "reduce"], "cell");
    std::vector<std::vector<double>> states{run(cell + ".preprocess.0", before),
                                            run(cell + ".preprocess.1", last)};
    std::vector<double> output;
    for (int node = 0; node < kCellNodes; ++node) {
      std::vector<double> sum;
      for (int i = 0; i < 2; ++i) {
        const CellInput& input = genes[static_cast<std::size_t>(2 * node + i)];
        const std::string op = cell + ".edges." + std::to_string(cell_edge(node, input.source)) +
                               "." + kCellOps[static_cast<std::size_t>(input.op)];
        std::vector<double> term = states[static_cast<std::size_t>(input.source)];
        if (blocks.contains(op)) {
          term = run(op, term);
        } else {
          EXPECT_EQ(input.op, 3) << "only a skip costs nothing";
        }
        sum.resize(term.size(), 0.0);
        for (std::size_t k = 0; k < term.size(); ++k) {
          sum[k] += term[k];
        }
      }
      output.insert(output.end(), sum.begin(), sum.end());
      states.push_back(std::move(sum));
    }
    before = std::move(last);
    last = std::move(output);
  }
  return run("classifier", last);
}

TEST(CellSpace, TheGraphIsTheCellsWiredByTheirGenotype) {
  const auto space = tiny_cells();
  Rng rng(10);
  for (int t = 0; t < 8; ++t) {
    const Arch arch = t == 0 ? published(*space, testing::kDartsV1) : space->sample(rng);
    const graph::Net net = testing::random_net(space->graph(arch), rng);
    std::vector<double> image(static_cast<std::size_t>(net.graph.input_shape().size()));
    for (double& value : image) {
      value = rng.normal();
    }
    const std::vector<double> expected = by_blocks(*space, arch, net.weights, image);
    const std::vector<double> logits = testing::execute_naively(net, image);
    ASSERT_EQ(logits.size(), expected.size());
    for (std::size_t k = 0; k < logits.size(); ++k) {
      EXPECT_NEAR(logits[k], expected[k], 1e-9);
    }
  }
}

TEST(CellSpace, AuxiliaryLogitsFollowTheNets) {
  const auto with = make_space("darts_c4_l3_aux", {.num_classes = 4});
  const auto without = make_space("darts_c4_l3", {.num_classes = 4});
  Rng rng(11);
  const Arch arch = published(*with, testing::kPcDartsCifar);
  const graph::Net net = testing::random_net(with->graph(arch), rng);
  std::vector<double> image(static_cast<std::size_t>(net.graph.input_shape().size()));
  for (double& value : image) {
    value = rng.normal();
  }
  const std::vector<double> both = testing::execute_naively(net, image);
  const std::vector<double> alone =
      testing::execute_naively(graph::Net{without->graph(arch), net.weights}, image);
  ASSERT_EQ(both.size(), 8U);
  EXPECT_EQ(std::vector<double>(both.begin(), both.begin() + 4), alone);
  EXPECT_NE(std::vector<double>(both.begin() + 4, both.end()), alone);
}

TEST(CellSpace, JsonIsTheSameForEveryNetOfTheFamily) {
  const auto space = make_space("darts");
  const Arch arch = published(*space, testing::kDartsV1);
  const auto json = space->to_json(arch);
  EXPECT_EQ(json["space"], "darts");
  EXPECT_EQ(json["normal"][0].dump(), R"(["sep_conv_3x3",0])");
  EXPECT_EQ(json["normal"][1].dump(), R"(["sep_conv_3x3",1])");
  EXPECT_EQ(json.size(), 3U);
  for (const char* name : {"darts_c16_l8", "darts_imagenet"}) {
    EXPECT_EQ(make_space(name)->from_json(json, "a.json"), arch);
  }
  const auto normal_only = make_space("darts_l1");
  const Arch one = normal_only->from_json(json, "a.json");
  EXPECT_EQ(normal_only->to_json(one)["normal"], json["normal"]);
  EXPECT_FALSE(normal_only->to_json(one).contains("reduce"));
}

TEST(CellSpace, JsonSaysWhatIsWrong) {
  const auto space = make_space("darts");
  const nlohmann::json good = space->to_json(space->smallest());
  const auto text = [&](auto spoil) {
    nlohmann::json bad = good;
    spoil(bad);
    return text_thrown<Error>([&] { space->from_json(bad, "a.json"); });
  };
  EXPECT_EQ(text([](auto& j) { j["space"] = "mbv3_28"; }),
            "a.json: is an arch of space \"mbv3_28\", expected \"darts\"; name its own with "
            "--space");
  EXPECT_EQ(text([](auto& j) { j.erase("reduce"); }),
            "a.json: missing list \"reduce\" of the cells of darts");
  EXPECT_EQ(text([](auto& j) { j["r"] = 64; }), "a.json: \"r\" must be 32, got 64");
  EXPECT_EQ(text([](auto& j) { j["ks"] = 1; }), "a.json: unknown key \"ks\" for cells");
  EXPECT_EQ(text([](auto& j) { j["normal"][3][1] = 3; }),
            "a.json: \"normal\"[3] must have a source from 0 to 2, got 3");
  EXPECT_EQ(text([](auto& j) { j = 3; }).rfind("a.json: expected cells, a JSON object", 0), 0U);
}

TEST(CellSpace, CellsComeBackAsArchs) {
  const auto space = make_space("darts_c4_l3", {.input_size = 8});
  Rng rng(3);
  for (int i = 0; i < 20; ++i) {
    const Arch arch = space->sample(rng);
    const std::vector<Cell> cells = cells_of(*space, arch);
    ASSERT_EQ(cells.size(), 2U);
    EXPECT_EQ(arch_of(*space, cells), arch);
  }
  EXPECT_TRUE(has_cells(*space));
  EXPECT_EQ(cell_spec(*space).init_channels, 4);
  const auto mobile = make_space("mbv3_28");
  EXPECT_FALSE(has_cells(*mobile));
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { cell_spec(*mobile); }),
            "[space::cells] space must be one of cells, got mbv3_28");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { arch_of(*space, std::vector<Cell>(1)); }),
            "[space::arch_of] darts_c4_l3 has 2 kinds of cells, got 1");
}

TEST(CellSpace, TrainsWithMoreThanItHandsOver) {
  const auto trained = make_space("darts_c4_l3_aux", {.input_size = 28});
  const auto deployed = without_auxiliary_head(*trained);
  EXPECT_EQ(deployed->name(), "darts_c4_l3");
  Rng rng(4);
  const Arch arch = trained->sample(rng);
  EXPECT_EQ(deployed->graph(arch), make_space("darts_c4_l3", {.input_size = 28})->graph(arch));
  std::set<std::string> names;
  for (const auto& spec : graph::parameters_of(trained->graph(arch))) names.insert(spec.name);
  for (const auto& spec : graph::parameters_of(deployed->graph(arch))) {
    EXPECT_TRUE(names.contains(spec.name)) << spec.name;
  }
  // In training every path but a skip's may be dropped; nothing else differs.
  const graph::Graph graph = deployed->training_graph(arch);
  int drops = 0, paths = 0;
  for (const graph::Node& node : graph.nodes()) drops += node.op == graph::Op::kDropPath;
  const std::vector<Cell> cells = cells_of(*deployed, arch);
  for (const std::size_t kind : {0U, 1U, 1U}) {  // cells 1 and 2 of three reduce
    for (const CellInput& input : cells[kind]) paths += input.op != 3;
  }
  EXPECT_EQ(drops, paths);
  EXPECT_EQ(graph::params(graph), graph::params(deployed->graph(arch)));
  EXPECT_EQ(graph::peak_memory_bytes(graph), graph::peak_memory_bytes(deployed->graph(arch)));
}

TEST(CellSpace, RefusesBadSpecs) {
  const auto text = [](const CellSpec& spec) {
    return text_thrown<std::invalid_argument>([&] { make_cell_space(spec); });
  };
  const std::string where = "[space::make_cell_space] c: ";
  EXPECT_EQ(text({.name = "c", .cells = 0}), where + "cells must be > 0, got 0");
  EXPECT_EQ(text({.name = "c", .init_channels = 7}),
            where + "init_channels must be even and > 0, got 7");
  EXPECT_EQ(text({.name = "c", .task = {3, 0, 32}}), where + "num_classes must be > 0, got 0");
  EXPECT_EQ(text({.name = "c", .task = {0, 10, 32}}), where + "in_channels must be > 0, got 0");
  EXPECT_EQ(text({.name = "c", .task = {3, 10, 30}}),
            where + "input_size must be a multiple of 4, got 30");
  EXPECT_EQ(text({.name = "c", .task = {3, 10, 100}, .stem = CellStem::kImagenet}),
            where + "input_size must be a multiple of 32, got 100");
  EXPECT_EQ(text({.name = "c", .task = {3, 10, 20}, .stem = CellStem::kImagenet, .cells = 2}),
            where + "input_size must be a multiple of 8, got 20");
  const std::string head =
      where + "an auxiliary head needs reduction cells and 7 to 10 pixels after the second, got ";
  EXPECT_EQ(text({.name = "c", .task = {3, 10, 64}, .auxiliary = true}), head + "16");
  EXPECT_EQ(text({.name = "c", .task = {3, 10, 8}, .cells = 2, .auxiliary = true}), head + "8");
  EXPECT_EQ(make_cell_space({.name = "c", .task = {3, 10, 15}, .cells = 1})->input_size({}), 15);
}

}  // namespace
}  // namespace lathe::space
