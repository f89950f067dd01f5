#include "lathe/latency/models/block_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/space/builtin_spaces.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

BlockCosts random_costs(const space::Space& space, std::uint64_t seed) {
  BlockCosts costs{.fingerprint = {.device = "cpu",
                                   .runtime = "torch",
                                   .precision = "float32",
                                   .space = space.name(),
                                   .in_channels = space.task().in_channels,
                                   .num_classes = space.task().num_classes,
                                   .input_size = space.task().input_size},
                   .bias_ms = 0.125,
                   .coefficients_ms = {},
                   .validation = std::nullopt};
  Rng rng(seed);
  for (const space::Block& block : space.distinct_blocks()) {
    costs.coefficients_ms[block.key()] = rng.uniform();
  }
  return costs;
}

TEST(BlockTableTest, IsTheBiasAndTheSumOfItsBlocks) {
  const TinySpace space;
  const BlockCosts costs = random_costs(space, 1);
  const BlockTable table(space, costs);
  EXPECT_EQ(table.space_name(), "tiny");
  const auto archs = lathe::testing::all_archs(space);
  ASSERT_EQ(archs.size(), 800U);
  std::vector<double> together(archs.size());
  table.predict_ms(archs, together);
  for (std::size_t i = 0; i < archs.size(); ++i) {
    double expected = 0.125;
    for (const space::Block& block : space.blocks(archs[i])) {
      expected += costs.coefficients_ms.at(block.key());
    }
    ASSERT_NEAR(table.predict_ms(archs[i]), expected, 1e-12);
    ASSERT_EQ(together[i], table.predict_ms(archs[i]));
  }
}

TEST(BlockTableTest, ATableOfTheDistinctBlocksCoversEveryBuiltinSpace) {
  for (const std::string& name : space::builtin_space_names()) {
    const auto space = space::make_space(name);
    const BlockTable table(*space, random_costs(*space, 4));
    EXPECT_TRUE(table.missing_keys().empty());
    Rng rng(1);
    for (int i = 0; i < 200; ++i) {
      ASSERT_GT(table.predict_ms(space->sample(rng)), 0.125) << name;
    }
    ASSERT_GT(table.predict_ms(space->largest()), 0.125) << name;
  }
}

TEST(BlockTableTest, AMissingBlockIsNamedAndNeverZero) {
  const TinySpace space;
  BlockCosts costs = random_costs(space, 1);
  const std::string key = space.blocks(space.largest())[1].key();
  costs.coefficients_ms.erase(key);
  const BlockTable table(space, costs);
  EXPECT_EQ(table.missing_keys(), std::vector<std::string>{key});
  EXPECT_NO_THROW(table.predict_ms(space.smallest()));
  EXPECT_EQ(text_thrown<Error>([&] { table.predict_ms(space.largest()); }),
            "the latency table of space tiny has no block \"" + key + "\"");
}

// The key of a block that nets of both input sizes have.
std::string classifier_key(const space::Space& space) {
  return space.blocks(space.smallest()).back().key();
}

TEST(BlockTableTest, ABlockMayTakeAnotherTimeAtAnInputSize) {
  const TinySpace space;
  BlockCosts costs = random_costs(space, 1);
  const BlockTable plain(space, costs);
  const std::string key = classifier_key(space);
  costs.coefficients_at_input_size_ms[24][key] = costs.coefficients_ms[key] + 0.5;
  const BlockTable table(space, costs);
  for (const space::Arch& arch : lathe::testing::all_archs(space)) {
    const double extra_ms = space.input_size(arch) == 24 ? 0.5 : 0.0;
    ASSERT_NEAR(table.predict_ms(arch), plain.predict_ms(arch) + extra_ms, 1e-12);
    ASSERT_EQ(table.slot_costs()->total(arch), table.predict_ms(arch));
  }
  const BlockTable corrected = table.corrected({.bias_ms = 0.25, .scale = 2.0});
  EXPECT_NEAR(corrected.predict_ms(space.largest()), 2 * table.predict_ms(space.largest()) + 0.25,
              1e-12);
}

TEST(BlockTableTest, CoversTheInputSizesOfWhichItHasEveryBlock) {
  const TinySpace space;
  BlockCosts costs = random_costs(space, 1);
  EXPECT_TRUE(BlockTable(space, costs).covers(16));
  EXPECT_TRUE(BlockTable(space, costs).covers(24));
  EXPECT_FALSE(BlockTable(space, costs).covers(20));
  costs.coefficients_ms.erase(space.blocks(space.largest())[1].key());
  EXPECT_TRUE(BlockTable(space, costs).covers(16));
  EXPECT_FALSE(BlockTable(space, costs).covers(24));
}

TEST(BlockTableTest, RefusesCostsThatAreNone) {
  const TinySpace space;
  BlockCosts costs = random_costs(space, 1);
  const std::string key = costs.coefficients_ms.begin()->first;
  costs.coefficients_ms[key] = -1;
  EXPECT_EQ(
      text_thrown<std::invalid_argument>([&] { BlockTable(space, costs); }),
      "[latency::BlockTable] the coefficient of \"" + key + "\" must be >= 0 ms, got -1.000000");
  costs.coefficients_ms.erase(key);
  costs.coefficients_at_input_size_ms[24][key] = 1;
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { BlockTable(space, costs); }),
            "[latency::BlockTable] \"" + key +
                "\" has a coefficient at input size 24, but none of its own");
  costs.bias_ms = NAN;
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { BlockTable(space, costs); }),
            "[latency::BlockTable] bias_ms must be finite, got nan");
  const BlockTable table(space, random_costs(space, 1));
  std::vector<double> out(2);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { table.predict_ms(std::vector<space::Arch>{space.smallest()}, out); }),
            "[latency::LatencyModel::predict_ms] out_ms must have 1 values, got 2");
}

TEST(BlockTableTest, CorrectionScalesEveryPrediction) {
  const TinySpace space;
  const BlockTable table(space, random_costs(space, 2));
  const BlockTable corrected = table.corrected({.bias_ms = -0.05, .scale = 0.5});
  for (const space::Arch& arch : {space.smallest(), space.largest()}) {
    EXPECT_NEAR(corrected.predict_ms(arch), 0.5 * table.predict_ms(arch) - 0.05, 1e-12);
  }
}

TEST(BlockTableTest, CalibrationRecoversAWholeNetEffect) {
  const TinySpace space;
  const BlockTable table(space, random_costs(space, 2));
  Rng rng(8);
  std::vector<LatencySample> samples;
  for (int i = 0; i < 30; ++i) {
    const space::Arch arch = space.sample(rng);
    const double ms = (0.2 + 0.9 * table.predict_ms(arch)) * (1 + 0.002 * rng.normal());
    samples.push_back({.arch = arch, .median_ms = ms, .p90_ms = ms, .repeats = 1});
  }
  const BlockTable fitted = calibrated(table, samples);
  EXPECT_NEAR(fitted.predict_ms(space.largest()), 0.2 + 0.9 * table.predict_ms(space.largest()),
              0.02);
  ASSERT_TRUE(fitted.costs().validation.has_value());
  EXPECT_EQ(fitted.costs().validation->samples, 30);
  EXPECT_LT(fitted.costs().validation->mape, 0.004);
  EXPECT_LT(model_error(fitted, samples).mape, model_error(table, samples).mape);
}

TEST(BlockTableTest, SavesAndLoads) {
  const TemporaryFolder dir;
  const TinySpace space;
  BlockCosts costs = random_costs(space, 3);
  costs.validation = ModelError{30, 0.02, 0.1, 0.99, 0.95, 0.9, 1.0};
  BlockTable(space, costs).save(dir / "t.json");
  EXPECT_EQ(BlockTable::load(space, dir / "t.json").costs(), costs);
  costs.validation.reset();
  BlockTable(space, costs).save(dir / "t.json");
  EXPECT_EQ(BlockTable::load(space, dir / "t.json").costs(), costs);
  EXPECT_EQ(read_json(dir / "t.json").at("version"), 1);
  costs.coefficients_at_input_size_ms[24][classifier_key(space)] = 0.75;
  BlockTable(space, costs).save(dir / "t.json");
  EXPECT_EQ(BlockTable::load(space, dir / "t.json").costs(), costs);
  EXPECT_EQ(read_json(dir / "t.json").at("version"), 2);
}

// What load() says after `change` to a good file, with the file's name replaced by FILE.
template <typename Change>
std::string load_error(Change change) {
  const TemporaryFolder dir;
  const TinySpace space;
  BlockTable(space, random_costs(space, 3)).save(dir / "t.json");
  nlohmann::json json = read_json(dir / "t.json");
  change(json);
  write_json(dir / "t.json", json);
  const std::string file = (dir / "t.json").string();
  std::string text = text_thrown<Error>([&] { BlockTable::load(space, dir / "t.json"); });
  EXPECT_EQ(text.find(file), 0U) << text;
  return text.find(file) == 0 ? "FILE" + text.substr(file.size()) : text;
}

TEST(BlockTableTest, LoadRefusesWhatIsNoTableOfTheSpace) {
  using nlohmann::json;
  EXPECT_EQ(load_error([](json& j) { j["format"] = "onnx"; }),
            "FILE: \"format\": expected \"lathe-block-table\", got \"onnx\"");
  EXPECT_EQ(load_error([](json& j) { j["version"] = 3; }),
            "FILE: \"version\": expected 1 or 2, got 3");
  EXPECT_EQ(load_error([](json& j) { j["unit"] = "us"; }),
            "FILE: \"unit\": expected \"ms\", got \"us\"");
  EXPECT_NE(load_error([](json& j) {
              j["fingerprint"]["space"] = "darts";
            }).find("made for space \"darts\""),
            std::string::npos);
  EXPECT_EQ(load_error([](json& j) { j["coefficients_ms"]["Conv_1"] = 1; }),
            "FILE: \"Conv_1\" is no block of space tiny");
  EXPECT_EQ(load_error([](json& j) { j["coefficients_ms"] = json::array(); }),
            "FILE: \"coefficients_ms\": expected an object, got array");
}

TEST(BlockTableTest, LoadRefusesInputSizesThatAreNone) {
  using nlohmann::json;
  const std::string sizes = "coefficients_at_input_size_ms";
  EXPECT_EQ(load_error([](json& j) { j["version"] = 2; }),
            "FILE: \"" + sizes + "\": expected another type, got nothing");
  const auto with = [&](const char* size, const json& coefficients) {
    return load_error([&](json& j) {
      j["version"] = 2;
      j[sizes] = {{size, coefficients}};
    });
  };
  const std::string key = classifier_key(TinySpace());
  EXPECT_EQ(with("20", {{key, 1.0}}), "FILE: \"20\" is no input size of space tiny");
  EXPECT_EQ(with("24", 1.0), "FILE: \"24\": expected an object, got number");
  EXPECT_EQ(with("24", {{"Conv_1", 1.0}}), "FILE: \"Conv_1\" is no block of space tiny");
  EXPECT_EQ(with("24", {{key, -1.0}}), "FILE: \"" + key + "\": must be >= 0 ms, got -1.0");
}

TEST(BlockTableTest, LoadRefusesFiguresThatAreNone) {
  using nlohmann::json;
  const TinySpace space;
  const std::string key = space.blocks(space.largest())[0].key();
  EXPECT_EQ(load_error([&](json& j) { j["coefficients_ms"][key] = -0.5; }),
            "FILE: \"" + key + "\": must be >= 0 ms, got -0.5");
  EXPECT_EQ(load_error([&](json& j) { j["coefficients_ms"][key] = nullptr; }),
            "FILE: \"" + key + "\": expected a number, got null");
  EXPECT_EQ(load_error([&](json& j) { j["bias_ms"] = "1"; }),
            "FILE: \"bias_ms\": expected a number, got \"1\"");
  EXPECT_EQ(load_error([&](json& j) { j.erase("bias_ms"); }),
            "FILE: \"bias_ms\": expected a number, got nothing");
}

}  // namespace
}  // namespace lathe::latency
