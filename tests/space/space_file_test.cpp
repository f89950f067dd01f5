#include "lathe/space/space_file.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/graph/counts.h"
#include "space/tiny_spaces.h"

namespace lathe::space {
namespace {

using nlohmann::json;
using testing::TemporaryFolder;
using testing::text_thrown;

/// As little as a mobile space can say.
json smallest_mobile() {
  return json::parse(R"({
    "family": "mobile", "name": "mine",
    "stem": {"channels": 8}, "first_block": {"channels": 8},
    "stages": [{"channels": 16, "depths": [1], "kernels": [3], "expansions": [2, 3]}],
    "head": {"channels": 32}})");
}

json chain() {
  return json::parse(R"({"family": "chain", "name": "mine",
                         "layers": [{"widths": [8, 16], "stride": 2}, {"widths": [24]}]})");
}

json bottleneck() { return to_json(SpaceSpec(testing::tiny_bottleneck())); }

SpaceSpec read(const json& content) { return space_spec_from_json(content, "mine.json"); }

std::string error_of(const json& content) {
  return text_thrown<Error>([&] { read(content); });
}

void expect_same_space(const Space& a, const Space& b) {
  ASSERT_EQ(a.decisions().size(), b.decisions().size());
  for (std::size_t i = 0; i < a.decisions().size(); ++i) {
    EXPECT_EQ(a.decisions()[i].group, b.decisions()[i].group);
    EXPECT_EQ(a.decisions()[i].values, b.decisions()[i].values);
  }
  EXPECT_EQ(a.task().in_channels, b.task().in_channels);
  EXPECT_EQ(a.task().num_classes, b.task().num_classes);
  EXPECT_EQ(a.task().input_size, b.task().input_size);
  EXPECT_EQ(a.elastic_kernels(), b.elastic_kernels());
  Rng rng(3);
  for (const Arch& arch : {a.smallest(), a.largest(), a.sample(rng), a.sample(rng)}) {
    EXPECT_EQ(a.blocks(arch), b.blocks(arch));
  }
}

/// What is written of `spec` and read again: the same space, and the same text.
void expect_round_trip(const SpaceSpec& spec) {
  const SpaceSpec again = read(json::parse(to_json(spec).dump()));
  EXPECT_EQ(to_json(again).dump(), to_json(spec).dump());
  expect_same_space(*make_space_from_spec(again), *make_space_from_spec(spec));
}

TEST(SpaceFileTest, EveryBuiltinSpaceComesBackAsItWas) {
  const TemporaryFolder folder;
  for (const std::string& name : builtin_space_names()) {
    SCOPED_TRACE(name);
    if (name.starts_with("darts")) {
      EXPECT_EQ(text_thrown<Error>([&] { builtin_space_spec(name); }),
                "space " + name +
                    " has no file: its name says it all, such as "
                    "darts_imagenet_c32_l8");
      continue;
    }
    const SpaceSpec spec = builtin_space_spec(name);
    nlohmann::ordered_json content = to_json(spec);
    expect_round_trip(spec);

    content["name"] = "my_" + name;
    const std::string file = (folder / "space.json").string();
    write_json(file, content);
    const auto space = open_space(file);
    EXPECT_EQ(space->name().rfind("my_" + name + "@", 0), 0U) << space->name();
    expect_same_space(*space, *make_space(name));
  }
}

TEST(SpaceFileTest, TheSpacesOfTestsComeBackToo) {
  for (const SpaceSpec& spec :
       {SpaceSpec(testing::tiny_mobile()), SpaceSpec(testing::tiny_tied_mobile()),
        SpaceSpec(testing::tiny_bottleneck()), SpaceSpec(testing::tiny_residual_chain())}) {
    expect_round_trip(spec);
  }
}

TEST(SpaceFileTest, FillsInWhatIsLeftOut) {
  MobileSpec expected;
  expected.name = "mine";
  expected.stem_channels = 8;
  expected.first_channels = 8;
  expected.stages = {{.channels = 16, .depths = {1}, .kernels = {3}, .expansions = {2, 3}}};
  expected.head_channels = 32;
  expected.feature_channels = 0;
  EXPECT_EQ(to_json(read(smallest_mobile())), to_json(SpaceSpec(expected)));
  // Stem 8x112x112 at stride 2; what it says is what the net has.
  const auto space = make_space_from_spec(read(smallest_mobile()));
  const auto blocks = space->blocks(space->largest());
  ASSERT_EQ(blocks.size(), 6U);
  EXPECT_EQ(blocks[0].key(), "conv 224x224x3 -> 112x112x8 k3 s2 h_swish");
  EXPECT_EQ(blocks[1].key(), "mbconv 112x112x8 -> 112x112x8 mid 8 k3 s1 residual relu");
  EXPECT_EQ(blocks[2].key(), "mbconv 112x112x8 -> 112x112x16 mid 24 k3 s1 relu");
  EXPECT_EQ(blocks[3].key(), "conv 112x112x16 -> 112x112x32 k1 s1 h_swish");
}

TEST(SpaceFileTest, NamesFieldAndExpectationOfEveryMistake) {
  struct Case {
    const char* pointer;
    json value;
    const char* error;
  };
  const std::vector<Case> mobile{
      {"/name", "a b",
       "name: expected 1 to 64 letters, digits, \"_\", \"-\" or \".\", got \"a b\""},
      {"/name", std::string(65, 'x'),
       "name: expected 1 to 64 letters, digits, \"_\", \"-\" or \".\", got "
       "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."},
      {"/name", 3, "name: expected 1 to 64 letters, digits, \"_\", \"-\" or \".\", got 3"},
      {"/stem/channels", 4097, "stem.channels: expected an integer in [1, 4096], got 4097"},
      {"/stem/stride", 0, "stem.stride: expected an integer in [1, 4], got 0"},
      {"/stem/activation", "relu7",
       "stem.activation: expected one of \"none\", \"relu\", \"relu6\", \"h_swish\", "
       "\"h_sigmoid\", got \"relu7\""},
      {"/stem/chanels", 8, "stem: unknown field \"chanels\": did you mean \"channels\"?"},
      {"/stem", 8, "stem: expected an object, got 8"},
      {"/first_block/residual", "yes", "first_block.residual: expected true or false, got \"yes\""},
      {"/stages", json::array(), "stages: expected a list of 1 to 16, got one of 0"},
      {"/stages/0/kernels/0", 4, "stages[0].kernels[0]: expected an odd integer in [1, 15], got 4"},
      {"/stages/0/kernels",
       {7, 3},
       "stages[0].kernels[1]: expected more than 7, which stands before it, got 3"},
      {"/stages/0/depths", {0, 1}, "stages[0].depths[0]: expected an integer in [1, 16], got 0"},
      {"/stages/0/depths", {1.5}, "stages[0].depths[0]: expected an integer in [1, 16], got 1.5"},
      {"/stages/0/expansions",
       {0.5, 2},
       "stages[0].expansions[0]: expected a number in [1, 16], got 0.5"},
      {"/stages/0/expansions",
       {1, 2, 3, 4, 5, 6, 7, 8, 9},
       "stages[0].expansions: expected a list of 1 to 8, got one of 9"},
      {"/stages/0/expansion_follows_depth", true,
       "stages[0].expansions: expected as many as depths, 1, which they follow, got 2"},
      {"/head/feature_channels", -1,
       "head.feature_channels: expected an integer in [0, 4096], got -1"},
      {"/head/dropout", 1.0, "head.dropout: expected a number in [0, 0.9], got 1.0"},
      {"/batch_norm_eps", 0, "batch_norm_eps: expected a number in [1e-09, 1], got 0"},
      {"/task",
       {{"classes", 10}},
       "task: unknown field \"classes\": did you mean \"num_classes\"?"},
      {"/task",
       {{"input_size", 5000}},
       "task.input_size: expected an integer in [1, 4096], got 5000"},
      {"/resolution", {64}, "unknown field \"resolution\": did you mean \"resolutions\"?"},
      {"/resolutions",
       {64, 32},
       "resolutions[1]: expected more than 64, which stands before it, got 32"},
      {"/family", "cell",
       "expected an object with \"family\": \"mobile\", \"bottleneck\" or \"chain\", got \"cell\""},
  };
  for (const Case& wrong : mobile) {
    json content = smallest_mobile();
    content[json::json_pointer(wrong.pointer)] = wrong.value;
    EXPECT_EQ(error_of(content), std::string("mine.json: ") + wrong.error);
  }
  const std::vector<Case> bottlenecks{
      {"/stages/1/base_depth", 0, "stages[1].base_depth: expected an integer in [1, 16], got 0"},
      {"/extra_depths", {-1}, "extra_depths[0]: expected an integer in [0, 16], got -1"},
      {"/widths", {0.5, 3}, "widths[1]: expected a number in [0.05, 2], got 3"},
      {"/expansions", 0.25, "expansions: expected a list of 1 to 8, got 0.25"},
      {"/head", json::object(),
       "unknown field \"head\": known: \"family\", \"name\", \"task\", \"stem\", \"stages\", "
       "\"extra_depths\", \"expansions\", \"widths\", \"dropout\", \"resolutions\""},
  };
  for (const Case& wrong : bottlenecks) {
    json content = bottleneck();
    content[json::json_pointer(wrong.pointer)] = wrong.value;
    EXPECT_EQ(error_of(content), std::string("mine.json: ") + wrong.error);
  }
}

TEST(SpaceFileTest, ReadsChains) {
  const auto space = make_space_from_spec(read(chain()));
  const auto blocks = space->blocks(space->largest());
  ASSERT_EQ(blocks.size(), 3U);
  EXPECT_EQ(blocks[0].output, (graph::Shape{16, 112, 112}));
  EXPECT_EQ(blocks[1].output, (graph::Shape{24, 112, 112}));
  json content = chain();
  content["layers"][1]["widths"] = {8, 0};
  EXPECT_EQ(error_of(content),
            "mine.json: layers[1].widths[1]: expected an integer in [1, 4096], got 0");
  content["layers"][1]["width"] = {8};
  EXPECT_EQ(error_of(content),
            "mine.json: layers[1]: unknown field \"width\": did you mean \"widths\"?");
  content = chain();
  content["layers"].push_back({{"kind", "conv"}, {"shortcut_from", 0}, {"kernel", 5}});
  const auto residual = make_space_from_spec(read(content))->blocks(Arch{{0, 0}});
  ASSERT_EQ(residual.size(), 5U);
  EXPECT_EQ(residual[3].key(), "shortcut_sum 112x112x8 -> 112x112x8 relu");
  content["layers"][2]["shortcut_from"] = 2;
  EXPECT_EQ(error_of(content),
            "mine.json: layers: layer 2 can only add the output of an earlier layer, got 2");
  content["layers"][2] = {{"kind", "depthwise"}, {"widths", {8}}};
  EXPECT_EQ(error_of(content),
            "mine.json: layers[2].kind: expected one of \"conv\", \"separable\", \"mbconv\", got "
            "\"depthwise\"");
}

TEST(SpaceFileTest, NamesWhatIsMissing) {
  json content = smallest_mobile();
  content.erase("head");
  EXPECT_EQ(error_of(content),
            "mine.json: head.channels: expected an integer in [1, 4096], got nothing");
  content = smallest_mobile();
  content["stages"][0].erase("kernels");
  EXPECT_EQ(error_of(content),
            "mine.json: stages[0].kernels: expected a list of 1 to 8, got nothing");
  const std::string family =
      "mine.json: expected an object with \"family\": \"mobile\", \"bottleneck\" or \"chain\", "
      "got ";
  EXPECT_EQ(error_of(json::object()), family + "an object");
  EXPECT_EQ(error_of(json::array()), family + "a list");
  EXPECT_EQ(error_of(json()), family + "null");
}

class OpenSpaceTest : public ::testing::Test {
 protected:
  std::string file(const json& content) {
    write_json(folder_ / "mine.json", content);
    return (folder_ / "mine.json").string();
  }
  std::string name_of(const json& content) { return open_space(file(content))->name(); }

  TemporaryFolder folder_;
};

TEST_F(OpenSpaceTest, TakesNamesAndFiles) {
  EXPECT_EQ(open_space("mbv3_28")->name(), "mbv3_28");
  EXPECT_EQ(open_space(file(bottleneck()))->task().num_classes, 5);
  EXPECT_EQ(text_thrown<Error>([] { open_space("mbv3_82"); }),
            "unknown space \"mbv3_82\": did you mean \"mbv3_28\"?");
  EXPECT_EQ(text_thrown<Error>([] { open_space("mine@49d9e1c3"); }),
            "space \"mine@49d9e1c3\" is defined in a file: give that file with --space");
  const std::string missing = (folder_ / "none.json").string();
  EXPECT_EQ(text_thrown<Error>([&] { open_space(missing); }),
            missing + ": cannot read: No such file or directory");
  EXPECT_TRUE(is_space_file("a/b.json"));
  EXPECT_FALSE(is_space_file("ofa_mbv3_w1.0"));
}

TEST_F(OpenSpaceTest, TheTaskCanBeOverridden) {
  json content = smallest_mobile();
  content["resolutions"] = {32, 64};
  const auto space =
      open_space(file(content), {.in_channels = 1, .num_classes = 7, .input_size = 48});
  EXPECT_EQ(space->task().in_channels, 1);
  EXPECT_EQ(space->task().num_classes, 7);
  EXPECT_EQ(space->input_size(space->largest()), 48);
  // The same space for another task: what is stored of a task is checked where it matters.
  EXPECT_EQ(space->name(), open_space(file(content))->name());
}

TEST_F(OpenSpaceTest, RefusesTasksThatNoFileCouldHave) {
  for (const std::string& name : {file(chain()), std::string("darts"), std::string("mbv3_28")}) {
    const auto text = [&](const TaskOverrides& overrides) {
      return text_thrown<Error>([&] { open_space(name, overrides); });
    };
    const std::string begin = "space " + name + ": ";
    const std::string end = "; give the space another size or task";
    EXPECT_EQ(text({.in_channels = -1}), begin + "in_channels must be in [1, 1024], got -1" + end);
    EXPECT_EQ(text({.num_classes = 0}), begin + "num_classes must be in [1, 1000000], got 0" + end);
    EXPECT_EQ(text({.input_size = 4097}),
              begin + "input_size must be in [1, 4096], got 4097" + end);
  }
}

TEST_F(OpenSpaceTest, RefusesTheNamesOfBuiltinSpaces) {
  json content = smallest_mobile();
  content["name"] = "mbv3_28";
  const std::string path = file(content);
  EXPECT_EQ(text_thrown<Error>([&] { open_space(path); }),
            path +
                ": name: expected a name of its own, got that of the built-in space "
                "\"mbv3_28\"");
}

TEST_F(OpenSpaceTest, ItsNameTellsAnyChangeButThatOfTheTask) {
  const std::string name = name_of(smallest_mobile());
  EXPECT_EQ(name.size(), std::string("mine@12345678").size());
  EXPECT_EQ(name.rfind("mine@", 0), 0U);

  json content = smallest_mobile();
  content["task"] = {{"num_classes", 10}};
  content["stem"]["stride"] = 2;  // as it is when left out
  EXPECT_EQ(name_of(content), name);
  content["name"] = "yours";
  EXPECT_EQ(name_of(content), "yours" + name.substr(4));

  for (const auto& [pointer, value] :
       std::vector<std::pair<const char*, json>>{{"/stem/channels", 16},
                                                 {"/stem/activation", "relu"},
                                                 {"/first_block/residual", false},
                                                 {"/stages/0/squeeze_excite", true},
                                                 {"/stages/0/kernels", {3, 5}},
                                                 {"/stages/0/expansions", {2, 4}},
                                                 {"/head/feature_channels", 64},
                                                 {"/head/dropout", 0.2},
                                                 {"/batch_norm_eps", 1e-3},
                                                 {"/resolutions", {64, 128}}}) {
    json changed = smallest_mobile();
    changed[json::json_pointer(pointer)] = value;
    EXPECT_NE(name_of(changed), name) << pointer;
  }
}

// A fixed value: names that are stored with models must not change between versions.
TEST_F(OpenSpaceTest, ItsNameIsTheSameInEveryVersion) {
  EXPECT_EQ(name_of(smallest_mobile()), "mine@49d9e1c3");
}

TEST(SpaceFileTest, TheLargestFileStillCounts) {
  MobileSpec mobile{.name = "large",
                    .task = {.in_channels = 1024, .num_classes = 1000000, .input_size = 4096},
                    .stem_channels = 4096,
                    .stem_stride = 1,
                    .first_channels = 4096,
                    .head_channels = 4096,
                    .feature_channels = 4096};
  mobile.stages.assign(16, {.channels = 4096,
                            .squeeze_excite = true,
                            .depths = {15, 16},
                            .kernels = {13, 15},
                            .expansions = {1, 16}});
  BottleneckSpec bottlenecks{.name = "large",
                             .task = mobile.task,
                             .stem_channels = 4096,
                             .extra_depths = {15, 16},
                             .expansions = {0.05, 1},
                             .widths = {0.05, 2}};
  bottlenecks.stages.assign(16, {.channels = 4096, .stride = 1, .base_depth = 16});
  for (const SpaceSpec& spec : {SpaceSpec(mobile), SpaceSpec(bottlenecks)}) {
    const auto space = make_space_from_spec(read(json::parse(to_json(spec).dump())));
    const graph::Graph net = space->graph(space->largest());
    double macs = 0;  // which can't overflow
    for (const Block& block : space->blocks(space->largest())) {
      macs += static_cast<double>(graph::macs(lower({&block, 1})));
    }
    EXPECT_GT(macs, 1e16);
    EXPECT_NEAR(static_cast<double>(graph::macs(net)) / macs, 1, 1e-9);
    EXPECT_GT(graph::params(net), 0);
    EXPECT_GT(graph::peak_memory_bytes(net), 0);
  }
}

/// Loads or is refused with one line; what loads is a space that works.
void load_hostile(const std::string& text, int& loaded) {
  SpaceSpec spec;
  try {
    spec = space_spec_from_json(parse_json(text, "fuzz.json"), "fuzz.json");
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.rfind("fuzz.json: ", 0), 0U) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 1000U) << message;
    return;
  }
  ++loaded;
  const auto space = make_space_from_spec(spec);
  for (const Arch& arch : {space->smallest(), space->largest()}) {
    EXPECT_GT(graph::macs(space->graph(arch)), 0) << text;
  }
  expect_round_trip(spec);
}

json any_value(Rng& rng) {
  const std::vector<json> values{nullptr,
                                 true,
                                 0,
                                 1,
                                 2,
                                 -1,
                                 7,
                                 4096,
                                 0.5,
                                 1e308,
                                 std::numeric_limits<std::uint64_t>::max(),
                                 std::numeric_limits<std::int64_t>::min(),
                                 "",
                                 "relu",
                                 "mobile",
                                 "bottleneck",
                                 std::string(10000, '\n'),
                                 json::array(),
                                 json::array({1, 3}),
                                 json::array({1, 2, 4}),
                                 json(std::vector<int>(1000, 3)),
                                 json::object(),
                                 {{"channels", 8}}};
  return values[rng.below(static_cast<std::uint32_t>(values.size()))];
}

TEST(SpaceFileFuzzTest, ChangedValuesLoadOrAreRefused) {
  Rng rng(5);
  int loaded = 0;
  const std::vector<json> valid{smallest_mobile(), bottleneck(), chain(),
                                json(to_json(SpaceSpec(testing::tiny_tied_mobile()))),
                                json(to_json(SpaceSpec(testing::tiny_residual_chain())))};
  for (int i = 0; i < 6000; ++i) {
    json content = valid[static_cast<std::size_t>(i) % valid.size()];
    for (std::uint32_t changes = 1 + rng.below(2); changes > 0; --changes) {
      const json flat = content.flatten();
      auto at = flat.begin();
      std::advance(at, rng.below(static_cast<std::uint32_t>(flat.size())));
      json::json_pointer pointer(at.key());
      for (std::uint32_t up = rng.below(3); up > 0 && !pointer.empty(); --up) {
        pointer.pop_back();
      }
      content[pointer] = any_value(rng);
      if (!content.is_object()) {
        break;
      }
    }
    load_hostile(content.dump(), loaded);
  }
  EXPECT_GT(loaded, 100);
}

TEST(SpaceFileFuzzTest, ChangedBytesLoadOrAreRefused) {
  Rng rng(6);
  int loaded = 0;
  const std::vector<std::string> valid{smallest_mobile().dump(), bottleneck().dump(),
                                       chain().dump()};
  for (int i = 0; i < 20000; ++i) {
    std::string text = valid[static_cast<std::size_t>(i) % valid.size()];
    for (std::uint32_t changes = 1 + rng.below(3); changes > 0; --changes) {
      const std::size_t at = rng.below(static_cast<std::uint32_t>(text.size()));
      constexpr std::string_view kLikely = "0123456789-.eE[]{}:,\"tfn ";
      const char byte = rng.bernoulli(0.7)
                            ? kLikely[rng.below(static_cast<std::uint32_t>(kLikely.size()))]
                            : static_cast<char>(rng.below(256));
      switch (rng.below(3)) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(at, 1, byte);
          break;
        default:
          text.erase(at, 1 + rng.below(8));
      }
      if (text.empty()) {
        break;
      }
    }
    load_hostile(text, loaded);
  }
  EXPECT_GT(loaded, 100);
}

}  // namespace
}  // namespace lathe::space
