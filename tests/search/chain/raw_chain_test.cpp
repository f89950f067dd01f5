#include "lathe/search/chain/raw_chain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "space_fixtures/random_trellis.h"

namespace lathe::search {
namespace {

using lathe::testing::text_thrown;

const char* const kExample =
    R"({"states": [2, 3, 1], "error": [[1, 2], [4, 8, 16], [32]],
        "latency_ms": [[[0.5, 1, 2], [4, 8, 16]], [[32], [64], [128]]]})";

nlohmann::json example() { return nlohmann::json::parse(kExample); }

std::string refusal(const nlohmann::json& json) {
  return text_thrown<Error>([&] { raw_chain_from_json(json, "c.json"); });
}

TEST(RawChainTest, PathsTotalWhatTheTablesSay) {
  const RawChain chain = raw_chain_from_json(example(), "c.json");
  const double error[2][3] = {{37, 41, 49}, {38, 42, 50}};
  const double latency[2][3] = {{32.5, 65, 130}, {36, 72, 144}};
  const auto paths = lathe::testing::all_paths(chain.trellis);
  ASSERT_EQ(paths.size(), 6U);
  for (const space::Path& path : paths) {
    const auto states = chain.states(path);
    ASSERT_EQ(states.size(), 3U);
    EXPECT_EQ(space::Trellis::total(path, chain.error), error[states[0]][states[1]]);
    EXPECT_EQ(space::Trellis::total(path, chain.latency_ms), latency[states[0]][states[1]]);
    EXPECT_EQ(chain.path(states), path);
  }
}

TEST(RawChainTest, ASingleNodeHasNoEdges) {
  const RawChain chain = raw_chain_from_json(
      {{"states", {4}}, {"error", {{1, 2, 3, 4}}}, {"latency_ms", nlohmann::json::array()}},
      "c.json");
  EXPECT_EQ(lathe::testing::all_paths(chain.trellis).size(), 4U);
}

TEST(RawChainTest, RefusesTablesThatDontFit) {
  nlohmann::json json = example();
  json["states"][1] = 4;
  EXPECT_EQ(refusal(json),
            "c.json: error[1]: expected a list of 4, one for each state, got a list of 3");
  json = example();
  json["states"].push_back(2);
  EXPECT_EQ(refusal(json),
            "c.json: error: expected a list of 4, one for each node, got a list of 3");
  json = example();
  json["latency_ms"][0][1].push_back(3);
  EXPECT_EQ(refusal(json),
            "c.json: latency_ms[0][1]: expected a list of 3, one for each state "
            "after, got a list of 4");
  json = example();
  json["latency_ms"][1].erase(0);
  EXPECT_EQ(refusal(json),
            "c.json: latency_ms[1]: expected a list of 3, one for each state before, "
            "got a list of 2");
  json = example();
  json["latency_ms"] = nlohmann::json::array();
  EXPECT_EQ(refusal(json),
            "c.json: latency_ms: expected a list of 2, one for each edge, got a list of 0");
  json = example();
  json["states"] = nlohmann::json::array();
  EXPECT_EQ(refusal(json),
            "c.json: states: expected the number of states of each of 1 to 10000 "
            "nodes, got a list of 0");
}

TEST(RawChainTest, RefusesWhatIsNoCost) {
  nlohmann::json json = example();
  json["error"][1][2] = -1;
  EXPECT_EQ(refusal(json), "c.json: error[1][2]: expected a number from 0 to 1e15, got -1");
  json = example();
  json["latency_ms"][0][1][2] = nullptr;
  EXPECT_EQ(refusal(json),
            "c.json: latency_ms[0][1][2]: expected a number from 0 to 1e15, got null");
  json = example();
  json["latency_ms"][0][1][2] = 1e300;
  EXPECT_NE(refusal(json).find("latency_ms[0][1][2]: expected a number from 0 to 1e15"),
            std::string::npos);
}

// Before any table is looked at, and without memory for them.
TEST(RawChainTest, RefusesMoreThanCanBeSearched) {
  EXPECT_EQ(refusal({{"states", {1000000}}}),
            "c.json: states[0]: expected an integer from 1 to 100000, got 1000000");
  EXPECT_EQ(
      refusal({{"states", {100000, 100000}}}),
      "c.json: states: expected at most 100000 states and 10000000 edges between them in all, "
      "got 200000 and 10000000000");
  EXPECT_EQ(refusal({{"states", std::vector<int>(10001, 1)}}),
            "c.json: states: expected the number of states of each of 1 to 10000 nodes, got a list "
            "of 10001");
  EXPECT_EQ(refusal({{"states", {-1}}}),
            "c.json: states[0]: expected an integer from 1 to 100000, got -1");
}

TEST(RawChainTest, RefusesOtherMembers) {
  nlohmann::json json = example();
  json.erase("error");
  EXPECT_EQ(refusal(json), "c.json: error: expected a list, got nothing");
  json = example();
  json["latency"] = 1;
  EXPECT_NE(refusal(json).find("unknown member \"latency\""), std::string::npos);
  EXPECT_NE(refusal({1, 2}).find("expected an object with states, error and latency_ms"),
            std::string::npos);
}

TEST(RawChainTest, MutatedFilesAreLoadedOrRefused) {
  const nlohmann::json flat = example().flatten();
  int refused = 0;
  for (const auto& item : flat.items()) {
    for (const nlohmann::json& value :
         {nlohmann::json(nullptr), nlohmann::json(true), nlohmann::json(-1), nlohmann::json(1e308),
          nlohmann::json(""), nlohmann::json::array(), nlohmann::json::object(),
          nlohmann::json(4294967296)}) {
      nlohmann::json changed = example();
      changed[nlohmann::json::json_pointer(item.key())] = value;
      try {
        raw_chain_from_json(changed, "c.json");
      } catch (const Error& error) {
        ++refused;
        EXPECT_EQ(std::string(error.what()).substr(0, 8), "c.json: ");
      }
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace lathe::search
