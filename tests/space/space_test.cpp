// What every space does alike: operators on archs, encoding, JSON, built-in spaces.
#include "lathe/space/space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/space/builtin_spaces.h"
#include "space/tiny_spaces.h"

namespace lathe::space {
namespace {

using lathe::testing::text_thrown;
using lathe::testing::tiny_mobile;
using Json = nlohmann::json;

/// The choices for the same decisions in any space: all at `choice`.
Arch uniform_arch(const Space& space, std::uint8_t choice) {
  return {std::vector<std::uint8_t>(space.decisions().size(), choice)};
}

/// Of the family that encodes, writes and sizes its archs in its own way.
bool is_cells(const std::string& name) { return name.starts_with("darts"); }

/// Four standard deviations of a binomial around its mean.
void expect_rate(int hits, int trials, double rate, const std::string& what) {
  const double spread = std::sqrt(trials * rate * (1 - rate));
  EXPECT_NEAR(hits, trials * rate, 4 * spread + 1e-9) << what;
}

TEST(Arch, EqualityOrderAndHash) {
  const Arch a{{0, 1, 2}};
  const Arch b{{0, 2, 1}};
  EXPECT_EQ(a, (Arch{{0, 1, 2}}));
  EXPECT_LT(a, b);
  EXPECT_EQ(std::hash<Arch>()(a), std::hash<Arch>()(Arch{{0, 1, 2}}));
  EXPECT_NE(std::hash<Arch>()(a), std::hash<Arch>()(b));
}

TEST(Space, CheckRefusesOtherLengthsAndChoices) {
  const auto space = make_mobile_space(tiny_mobile());
  ASSERT_EQ(space->decisions().size(), 10U);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              space->check({{0, 1}});
            }),
            "[space::Space] an arch of tiny_mobile has 10 choices, got 2");
  Arch arch = space->smallest();
  arch.choices[3] = 2;
  const std::string text = "[space::Space] choice 3 of tiny_mobile must be below 2, got 2";
  Rng rng(1);
  const std::vector<std::function<void()>> calls{
      [&] { space->check(arch); },
      [&] { space->canonical(arch); },
      [&] { space->blocks(arch); },
      [&] { space->graph(arch); },
      [&] { space->encode(arch); },
      [&] { space->to_json(arch); },
      [&] { space->mutate(arch, 0.5, rng); },
      [&] { space->crossover(arch, space->smallest(), rng); },
      [&] { space->crossover(space->smallest(), arch, rng); }};
  for (const auto& call : calls) {
    EXPECT_EQ(text_thrown<std::invalid_argument>(call), text);
  }
}

TEST(Space, SmallestAndLargest) {
  for (const std::string& name : builtin_space_names()) {
    const auto space = make_space(name);
    EXPECT_EQ(space->smallest(), uniform_arch(*space, 0)) << name;
    const Arch largest = space->largest();
    for (std::size_t i = 0; i < largest.choices.size(); ++i) {
      EXPECT_TRUE(space->alive(largest, static_cast<int>(i))) << name;
      if (!is_cells(name)) {  // the last operation of a cell is not the one with the most MACs
        EXPECT_EQ(largest.choices[i] + 1, space->decisions()[i].num_choices()) << name;
      }
    }
  }
}

TEST(Space, DecisionsCountUpWithinTheirGroupAndAscend) {
  for (const std::string& name : builtin_space_names()) {
    const auto space = make_space(name);
    std::map<std::string, int> next;
    for (const Decision& decision : space->decisions()) {
      EXPECT_EQ(decision.index, next[decision.group]++) << name;
      EXPECT_TRUE(std::is_sorted(decision.values.begin(), decision.values.end())) << name;
      EXPECT_GE(decision.num_choices(), 1) << name;
    }
  }
}

TEST(Space, CanonicalIsEqualExactlyWhereTheNetIs) {
  const auto space = make_mobile_space(tiny_mobile());
  std::map<Arch, std::string> nets;
  std::map<std::string, Arch> archs;
  for (const Arch& arch : lathe::testing::every_arch(*space)) {
    const Arch canonical = space->canonical(arch);
    EXPECT_EQ(space->canonical(canonical), canonical);
    const std::string net = lathe::testing::net_key(space->blocks(arch));
    EXPECT_EQ(nets.try_emplace(canonical, net).first->second, net);
    EXPECT_EQ(archs.try_emplace(net, canonical).first->second, canonical);
  }
}

TEST(Space, SampleIsUniformForEveryDecisionThatIsAlwaysAlive) {
  const auto space = make_space("ofa_mbv3_w1.0");
  Rng rng(3);
  constexpr int kTrials = 4000;
  std::vector<std::vector<int>> counts;
  for (const Decision& decision : space->decisions()) {
    counts.emplace_back(decision.values.size(), 0);
  }
  for (int t = 0; t < kTrials; ++t) {
    const Arch arch = space->sample(rng);
    EXPECT_EQ(arch, space->canonical(arch));
    for (std::size_t i = 0; i < arch.choices.size(); ++i) {
      ++counts[i][arch.choices[i]];
    }
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const Decision& decision = space->decisions()[i];
    // A stage's third block lives at depth 3 or 4, its fourth at 4; a dead one shows choice 0.
    const int block = decision.group == "d" || decision.group == "r" ? 0 : decision.index % 4;
    const double alive = block < 2 ? 1.0 : block == 2 ? 2.0 / 3.0 : 1.0 / 3.0;
    for (std::size_t c = 0; c < counts[i].size(); ++c) {
      const double rate = alive / decision.num_choices() + (c == 0 ? 1 - alive : 0);
      expect_rate(counts[i][c], kTrials, rate, decision.group + std::to_string(decision.index));
    }
  }
}

TEST(Space, SameSeedSameArchs) {
  for (const std::string& name : builtin_space_names()) {
    const auto space = make_space(name);
    Rng a(11), b(11), c(12);
    bool differs = false;
    for (int t = 0; t < 20; ++t) {
      const Arch first = space->sample(a);
      EXPECT_EQ(first, space->sample(b));
      EXPECT_EQ(space->mutate(first, 0.3, a), space->mutate(first, 0.3, b));
      EXPECT_EQ(space->crossover(first, space->largest(), a),
                space->crossover(first, space->largest(), b));
      differs = differs || first != space->sample(c);
    }
    EXPECT_TRUE(differs) << name;
  }
}

TEST(Space, MutateAtRateZeroIsCanonicalAndAtRateOneIsSampling) {
  const auto space = make_space("mbv3_28");
  Rng rng(5);
  for (int t = 0; t < 50; ++t) {
    const Arch arch = space->sample(rng);
    EXPECT_EQ(space->mutate(arch, 0.0, rng), arch);
    Arch alive_nowhere = arch;
    for (std::size_t i = 0; i < arch.choices.size(); ++i) {
      if (!space->alive(arch, static_cast<int>(i))) {
        alive_nowhere.choices[i] = 1;
      }
    }
    EXPECT_EQ(space->mutate(alive_nowhere, 0.0, rng), arch);
  }
  const Arch largest = space->largest();
  constexpr int kTrials = 4000;
  std::vector<int> kept(largest.choices.size(), 0);
  for (int t = 0; t < kTrials; ++t) {
    const Arch child = space->mutate(largest, 1.0, rng);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      kept[i] += child.choices[i] == largest.choices[i] ? 1 : 0;
    }
  }
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const Decision& decision = space->decisions()[i];
    const int block = decision.group == "d" ? 0 : decision.index % 3;
    const double alive = (3.0 - block) / 3.0;
    expect_rate(kept[i], kTrials, alive / decision.num_choices(), "decision " + std::to_string(i));
  }
}

TEST(Space, CrossoverTakesEveryDecisionFromAParentWithEvenOdds) {
  const auto space = make_space("ofa_resnet50d");
  Rng rng(6);
  const Arch a = space->largest();
  Arch b = a;  // as deep, so that nothing dies, but otherwise different
  for (std::size_t i = 0; i < b.choices.size(); ++i) {
    if (space->decisions()[i].group != "d") {
      b.choices[i] = 0;
    }
  }
  constexpr int kTrials = 4000;
  std::vector<int> from_b(a.choices.size(), 0);
  for (int t = 0; t < kTrials; ++t) {
    const Arch child = space->crossover(a, b, rng);
    for (std::size_t i = 0; i < from_b.size(); ++i) {
      EXPECT_TRUE(child.choices[i] == a.choices[i] || child.choices[i] == b.choices[i]);
      from_b[i] += child.choices[i] == b.choices[i] ? 1 : 0;
    }
  }
  for (std::size_t i = 0; i < from_b.size(); ++i) {
    expect_rate(from_b[i], kTrials, a.choices[i] == b.choices[i] ? 1.0 : 0.5,
                "decision " + std::to_string(i));
  }
}

TEST(Space, ChildrenAreCanonicalAndOneParentTwiceGivesItself) {
  for (const std::string& name : builtin_space_names()) {
    const auto space = make_space(name);
    Rng rng(7);
    for (int t = 0; t < 50; ++t) {
      const Arch a = space->sample(rng);
      const Arch b = space->sample(rng);
      const Arch child = space->crossover(a, b, rng);
      EXPECT_EQ(child, space->canonical(child)) << name;
      const Arch mutant = space->mutate(a, 0.2, rng);
      EXPECT_EQ(mutant, space->canonical(mutant)) << name;
      EXPECT_EQ(space->crossover(a, a, rng), a) << name;
    }
  }
}

TEST(Space, EncodeIsOneHotAndZeroWhereDead) {
  for (const std::string& name : builtin_space_names()) {
    if (is_cells(name)) {  // encoded by edge
      continue;
    }
    const auto space = make_space(name);
    Rng rng(8);
    for (int t = 0; t < 20; ++t) {
      const Arch arch = space->sample(rng);
      const std::vector<float> bits = space->encode(arch);
      ASSERT_EQ(bits.size(), static_cast<std::size_t>(space->encoding_size())) << name;
      std::size_t offset = 0;
      for (std::size_t i = 0; i < arch.choices.size(); ++i) {
        const bool alive = space->alive(arch, static_cast<int>(i));
        for (int c = 0; c < space->decisions()[i].num_choices(); ++c) {
          EXPECT_EQ(bits[offset++], alive && c == arch.choices[i] ? 1.0F : 0.0F) << name;
        }
      }
    }
  }
  // 20 kernels, 20 expansions, 5 depths of 3 choices each, 25 resolutions.
  EXPECT_EQ(make_space("ofa_mbv3_w1.0")->encoding_size(), 45 * 3 + 25);
}

TEST(Space, EncodeTellsCanonicalArchsApart) {
  const auto space = make_mobile_space(tiny_mobile());
  std::map<std::vector<float>, Arch> seen;
  for (const Arch& arch : lathe::testing::every_arch(*space)) {
    const Arch canonical = space->canonical(arch);
    EXPECT_EQ(space->encode(arch), space->encode(canonical));
    EXPECT_EQ(seen.try_emplace(space->encode(arch), canonical).first->second, canonical);
  }
}

TEST(SpaceJson, RoundTripsInEverySpace) {
  for (const std::string& name : builtin_space_names()) {
    const auto space = make_space(name);
    Rng rng(9);
    for (int t = 0; t < 50; ++t) {
      const Arch arch = space->sample(rng);
      const std::string text = space->to_json(arch).dump();
      EXPECT_EQ(space->from_json(Json::parse(text), "a.json"), arch) << text;
    }
  }
}

TEST(SpaceJson, IsWrittenAsDescribed) {
  const auto mobile = make_space("mbv3_28");
  EXPECT_EQ(mobile->to_json(mobile->largest()).dump(),
            R"({"space":"mbv3_28","ks":[5,5,5,5,5,5,5,5,5,5,5,5],)"
            R"("e":[4,4,4,4,4,4,4,4,4,4,4,4],"d":[3,3,3,3],"r":28})");
  const auto resnet = make_space("ofa_resnet50d");
  EXPECT_EQ(resnet->to_json(resnet->smallest()).dump(),
            R"({"space":"ofa_resnet50d","d":[0,0,0,0,0],)"
            R"("e":[0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2],)"
            R"("w":[0.65,0.65,0.65,0.65,0.65,0.65],"r":128})");
}

TEST(SpaceJson, WritesDeadDecisionsAndReadsThemAsCanonical) {
  const auto space = make_space("mbv3_28");
  Json json = Json::parse(space->to_json(space->smallest()).dump());
  json["ks"][2] = 5;  // the third block of a stage of one
  EXPECT_EQ(space->from_json(json, "a.json"), space->smallest());
  Arch dead = space->smallest();
  dead.choices[2] = 1;
  EXPECT_EQ(space->to_json(dead)["ks"][2], 5);
}

TEST(SpaceJson, SpaceAndResolutionMayBeLeftOut) {
  const auto space = make_space("ofa_mbv3_w1.0");
  Json json = Json::parse(space->to_json(space->largest()).dump());
  json.erase("space");
  json.erase("r");
  EXPECT_EQ(space->from_json(json, "a.json"), space->largest()) << "224, the task's";
  json["e"][0] = 6.0;  // a whole number written with a point
  EXPECT_EQ(space->from_json(json, "a.json"), space->largest());
}

class SpaceJsonErrors : public ::testing::Test {
 protected:
  std::string text(const std::function<void(Json&)>& spoil) const {
    Json json = Json::parse(space_->to_json(space_->largest()).dump());
    spoil(json);
    return text_thrown<Error>([&] { space_->from_json(json, "a.json"); });
  }
  std::unique_ptr<Space> space_ = make_mobile_space(tiny_mobile());
};

TEST_F(SpaceJsonErrors, NotAnObject) {
  const std::string example =
      R"({"space":"tiny_mobile","ks":[5,5,5,5,5],"e":[3,3],"d":[2,3],"r":16})";
  EXPECT_EQ(text([](Json& j) { j = Json::array(); }),
            "a.json: expected an arch, a JSON object such as " + example + ", got array");
  EXPECT_EQ(text([](Json& j) { j = nullptr; }),
            "a.json: expected an arch, a JSON object such as " + example + ", got null");
}

TEST_F(SpaceJsonErrors, AnotherSpace) {
  EXPECT_EQ(text([](Json& j) { j["space"] = "mbv3_28"; }),
            "a.json: is an arch of space \"mbv3_28\", expected \"tiny_mobile\"; name its own with "
            "--space");
  EXPECT_EQ(text([](Json& j) { j["space"] = 3; }),
            "a.json: is an arch of space 3, expected \"tiny_mobile\"; name its own with --space");
}

TEST_F(SpaceJsonErrors, MissingOrUnknownKeys) {
  EXPECT_EQ(text([](Json& j) { j.erase("e"); }),
            "a.json: missing list \"e\" of an arch of tiny_mobile");
  EXPECT_EQ(text([](Json& j) { j["d"] = 2; }),
            "a.json: missing list \"d\" of an arch of tiny_mobile");
  EXPECT_EQ(text([](Json& j) { j["w"] = {1}; }),
            "a.json: unknown key \"w\" for an arch of tiny_mobile");
}

TEST_F(SpaceJsonErrors, WrongLengths) {
  EXPECT_EQ(text([](Json& j) { j["ks"] = {5, 5, 5}; }), "a.json: \"ks\" needs 5 values, got 3");
  EXPECT_EQ(text([](Json& j) { j["d"] = {2, 3, 3}; }), "a.json: \"d\" needs 2 values, got 3");
  EXPECT_EQ(text([](Json& j) { j["e"] = Json::array(); }), "a.json: \"e\" needs 2 values, got 0");
}

TEST_F(SpaceJsonErrors, ValuesThatAreNoChoice) {
  EXPECT_EQ(text([](Json& j) { j["ks"][1] = 7; }), "a.json: \"ks\"[1] must be one of 3, 5, got 7");
  EXPECT_EQ(text([](Json& j) { j["e"][0] = "3"; }),
            "a.json: \"e\"[0] must be one of 2, 3, got \"3\"");
  EXPECT_EQ(text([](Json& j) { j["d"][1] = nullptr; }),
            "a.json: \"d\"[1] must be one of 2, 3, got null");
  EXPECT_EQ(text([](Json& j) { j["d"][0] = true; }),
            "a.json: \"d\"[0] must be one of 1, 2, got true");
  EXPECT_EQ(text([](Json& j) { j["e"][1] = 2.5; }),
            "a.json: \"e\"[1] must be one of 2, 3, got 2.5");
  EXPECT_EQ(text([](Json& j) { j["r"] = 15; }), "a.json: \"r\" must be one of 12, 16, got 15");
  EXPECT_EQ(text([](Json& j) { j["r"] = {16}; }), "a.json: \"r\" must be one of 12, 16, got [16]");
}

TEST_F(SpaceJsonErrors, FractionsAreListedAsTheyAreWritten) {
  space_ = make_space("ofa_resnet50d");
  EXPECT_EQ(text([](Json& j) { j["e"][4] = 0.3; }),
            "a.json: \"e\"[4] must be one of 0.2, 0.25, 0.35, got 0.3");
  EXPECT_EQ(text([](Json& j) { j["w"][0] = 2; }),
            "a.json: \"w\"[0] must be one of 0.65, 0.8, 1, got 2");
}

TEST_F(SpaceJsonErrors, AnotherResolutionWhereItIsNoChoice) {
  space_ = make_space("mbv3_28");
  EXPECT_EQ(text([](Json& j) { j["r"] = 32; }), "a.json: \"r\" must be 28, got 32");
  EXPECT_EQ(text([](Json& j) { j["r"] = "28"; }), "a.json: \"r\" must be 28, got \"28\"");
}

TEST(BuiltinSpaces, AreNamedInOrder) {
  const std::vector<std::string> names = builtin_space_names();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const std::string& name : names) {
    EXPECT_EQ(make_space(name)->name(), name);
  }
}

TEST(BuiltinSpaces, UnknownNamesGetTheNearest) {
  EXPECT_EQ(text_thrown<Error>([] { make_space("ofa_mbv3_w1.1"); }),
            "unknown space \"ofa_mbv3_w1.1\": did you mean \"ofa_mbv3_w1.0\" or "
            "\"ofa_mbv3_w1.2\"?");
  EXPECT_EQ(text_thrown<Error>([] {
              make_space("mbv3_32");
            }).rfind("unknown space \"mbv3_32\": did you mean \"mbv3_28\"", 0),
            0U);
  const std::string all = text_thrown<Error>([] { make_space("zzzzzzzzzzzz"); });
  EXPECT_EQ(all.rfind("unknown space \"zzzzzzzzzzzz\": known: \"compofa_mbv3\", ", 0), 0U) << all;
  EXPECT_NE(all.find("\"ofa_resnet50d\""), std::string::npos);
}

TEST(BuiltinSpaces, OverridesReachTheNet) {
  for (const std::string& name : builtin_space_names()) {
    const auto space = make_space(name, {.in_channels = 2, .num_classes = 7, .input_size = 64});
    Rng rng(10);
    for (const Arch& arch : {space->smallest(), space->largest(), space->sample(rng)}) {
      const graph::Graph net = space->graph(arch);
      EXPECT_EQ(net.input_shape(), (graph::Shape{2, 64, 64})) << name;
      EXPECT_EQ(net.output_shape(), (graph::Shape{7, 1, 1})) << name;
      EXPECT_EQ(space->input_size(arch), 64) << name;
      if (!is_cells(name)) {
        EXPECT_EQ(space->to_json(arch)["r"], 64) << name;
      }
    }
    for (const Decision& decision : space->decisions()) {
      EXPECT_NE(decision.group, "r") << "an input size asked for is no choice";
    }
  }
}

TEST(BuiltinSpaces, KeepSomeOfTheirResolutions) {
  for (const std::string name : {"ofa_mbv3_w1.2", "ofa_proxyless_w1.3", "ofa_resnet50d"}) {
    const auto whole = make_space(name);
    const auto few = make_space(name, {.resolutions = {224, 160, 176, 160}});
    EXPECT_EQ(few->name(), name);
    EXPECT_EQ(few->input_sizes(), (std::vector<int>{160, 176, 224}));
    EXPECT_EQ(whole->input_sizes().size(), 25U);
    Rng rng(3);
    const Arch arch = few->sample(rng);
    const Arch in_whole = whole->from_json(few->to_json(arch), "");
    EXPECT_EQ(whole->to_json(in_whole), few->to_json(arch));
    EXPECT_EQ(whole->blocks(in_whole), few->blocks(arch));
  }
  EXPECT_EQ(make_space("ofa_mbv3_w1.0", {.resolutions = {192}})->input_sizes(),
            std::vector<int>{192});
  EXPECT_EQ(make_space("ofa_mbv3_w1.0", {.input_size = 96})->input_sizes(), std::vector<int>{96});
}

TEST(BuiltinSpaces, RefuseResolutionsThatAreNotTheirs) {
  const std::string text = text_thrown<Error>([] {
    make_space("ofa_mbv3_w1.2", {.resolutions = {160, 170}});
  });
  EXPECT_EQ(text.rfind("resolution 170 is none of space ofa_mbv3_w1.2: 128, 132, 136, ", 0), 0U)
      << text;
  EXPECT_EQ(text_thrown<Error>([] { make_space("mbv3_28", {.resolutions = {28}}); }),
            "space mbv3_28 has no choice of a resolution, got 28; give an input size instead");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [] { make_space("ofa_mbv3_w1.2", {.input_size = 160, .resolutions = {160}}); }),
            "[space::make_space] input_size and resolutions must not both be given");
}

TEST(BuiltinSpaces, PublishedTasks) {
  for (const std::string& name : builtin_space_names()) {
    const auto space = make_space(name);
    const bool grey = name == "mbv3_28";
    const bool cifar = name == "darts";
    const graph::Graph net = space->graph(space->largest());
    const int size = grey ? 28 : cifar ? 32 : 224;
    EXPECT_EQ(net.input_shape(), (graph::Shape{grey ? 1 : 3, size, size})) << name;
    EXPECT_EQ(net.output_shape(), (graph::Shape{grey || cifar ? 10 : 1000, 1, 1})) << name;
  }
}

TEST(BuiltinSpaces, DistinctBlocksCoverRandomNets) {
  for (const std::string& name : builtin_space_names()) {
    const auto space = make_space(name);
    const std::vector<Block> distinct = space->distinct_blocks();
    const std::set<std::string> keys = lathe::testing::keys_of(distinct);
    EXPECT_EQ(keys.size(), distinct.size()) << name << ": a key twice";
    Rng rng(12);
    for (int t = 0; t < 200; ++t) {
      for (const Block& block : space->blocks(space->sample(rng))) {
        ASSERT_TRUE(keys.contains(block.key())) << name << ": " << block.key();
      }
    }
  }
}

TEST(BuiltinSpaces, ParameterNamesDoNotDependOnTheArch) {
  for (const std::string& name : builtin_space_names()) {
    const auto space = make_space(name);
    if (!space->weights_nest()) {
      continue;
    }
    std::set<std::string> supernet;
    const auto names = [](const graph::Graph& net) {
      std::set<std::string> all;
      for (const graph::ParameterSpec& spec : graph::parameters_of(net)) {
        EXPECT_TRUE(all.insert(spec.name).second) << spec.name << " twice";
      }
      return all;
    };
    supernet = names(space->graph(space->largest()));
    Rng rng(13);
    for (int t = 0; t < 10; ++t) {
      const std::set<std::string> subnet = names(space->graph(space->sample(rng)));
      EXPECT_TRUE(std::includes(supernet.begin(), supernet.end(), subnet.begin(), subnet.end()))
          << name;
    }
  }
}

}  // namespace
}  // namespace lathe::space
