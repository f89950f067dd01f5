#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/program.h"
#include "lathe/accuracy/width_scores.h"
#include "lathe/graph/counts.h"
#include "lathe/space/builtin_spaces.h"
#include "run/stage_fixtures.h"

namespace lathe {
namespace {

using lathe::testing::Outcome;
using lathe::testing::quoted;
using lathe::testing::run_lathe;
using lathe::testing::TemporaryFolder;

/// With one line that says, among the rest, `part`.
void expect_refused(const Outcome& outcome, int exit_code, const std::string& part) {
  EXPECT_EQ(outcome.exit_code, exit_code);
  EXPECT_EQ(outcome.out, "");
  const std::vector<std::string> lines = lathe::testing::lines_of(outcome.err);
  ASSERT_EQ(lines.size(), 1U) << outcome.err;
  EXPECT_EQ(lines.front().substr(0, 7), "lathe: ");
  EXPECT_NE(lines.front().find(part), std::string::npos) << outcome.err;
}

class SearchChainTest : public ::testing::Test {
 protected:
  SearchChainTest() {
    write_file_atomic(file_, R"({"states": [1, 2, 2], "error": [[0], [3, 1], [2, 0]],
                                 "latency_ms": [[[1, 2.125]], [[1, 3], [1.5, 4]]]})");
  }
  Outcome search(const std::string& arguments) const {
    return run_lathe("search --chain " + quoted(file_.string()) + " " + arguments);
  }

  TemporaryFolder dir_;
  std::filesystem::path file_ = dir_ / "chain.json";
};

TEST_F(SearchChainTest, PrintsTheFront) {
  const Outcome outcome = search("--strategy pareto --front --json");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  // Paths: 1+1, 1+3, 2.125+1.5, 2.125+4 ms with errors 5, 3, 3, 1.
  EXPECT_EQ(json["front"], nlohmann::json::parse("[[2.0, 5.0], [3.625, 3.0], [6.125, 1.0]]"));
  EXPECT_EQ(json["exact"], true);
  EXPECT_EQ(search("--front --json").out, outcome.out) << "pareto is the default of a chain";
}

TEST_F(SearchChainTest, AnswersTargetsWithPathAndBound) {
  for (const std::string strategy : {"ows", "pareto"}) {
    const Outcome outcome = search("--strategy " + strategy + " --targets 4,1.5 --json");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const auto targets = nlohmann::json::parse(outcome.out)["targets"];
    EXPECT_EQ(targets[0],
              nlohmann::json::parse(R"({"target_ms": 1.5, "feasible": false, "minimum_ms": 2.0})"));
    EXPECT_EQ(targets[1], nlohmann::json::parse(R"({"target_ms": 4.0, "feasible": true,
        "path": [0, 1, 0], "latency_ms": 3.625, "error": 3.0, "bound": 3.0, "gap": 0.0})"));
  }
  const auto relaxed =
      nlohmann::json::parse(search("--strategy lagrangian --targets 5 --json").out)["targets"][0];
  EXPECT_EQ(relaxed["error"], 3.0);
  EXPECT_LT(relaxed["bound"], 3.0);
  for (const std::string strategy : {"greedy", "uniform", "random"}) {
    const auto target = nlohmann::json::parse(
        search("--strategy " + strategy + " --targets 6.5 --json").out)["targets"][0];
    EXPECT_EQ(target["error"], 1.0) << strategy;
    EXPECT_FALSE(target.contains("bound"));
  }
}

TEST_F(SearchChainTest, TheMinimumCanBeTypedBack) {
  write_file_atomic(file_, R"({"states": [2, 1], "error": [[1, 2], [0]],
                               "latency_ms": [[[0.12345678949], [0.3]]]})");
  const std::string text = search("--targets 0.1").out;
  EXPECT_NE(text.find("the minimum reachable is 0.123457 ms"), std::string::npos) << text;
  EXPECT_EQ(search("--targets 0.123457").out.find("infeasible"), std::string::npos);
}

TEST_F(SearchChainTest, RefusesWhatItCantUse) {
  expect_refused(search("--targets 4 --strategy vanilla"), 2,
                 "must be ows, pareto, lagrangian, greedy, uniform or random");
  expect_refused(search("--json"), 2, "--targets or --front");
  expect_refused(search("--targets 4 --space mobilenet_v1_widths"), 2, "--chain");
  expect_refused(run_lathe("search --targets 4"), 2, "--space");
  write_file_atomic(file_, R"({"states": [1000000]})");
  expect_refused(search("--targets 4"), 1, "states[0]: expected an integer from 1 to 100000");
  write_file_atomic(file_, R"({"states": [1, 1], "error": [[0], [NaN]], "latency_ms": [[[1]]]})");
  expect_refused(search("--targets 4"), 1, "not valid JSON at line 1");
}

/// Widths of MobileNet-v1 with a latency table by MACs and made-up scores.
class SearchWidthsTest : public ::testing::Test {
 protected:
  SearchWidthsTest() {
    testing::table_by_macs(*space_, {.device = "nothing real",
                                     .runtime = "none",
                                     .precision = "float32",
                                     .batch = 1,
                                     .threads = 1,
                                     .space = space_->name(),
                                     .in_channels = space_->task().in_channels,
                                     .num_classes = space_->task().num_classes,
                                     .input_size = space_->task().input_size})
        .save(latency_);
    save_scores(false);
  }
  void save_scores(bool with_a_gap) const {
    Rng rng(1);
    accuracy::WidthScoreTable table;
    for (const space::Decision& decision : space_->decisions()) {
      table.emplace_back();
      for (const double width : decision.values) {
        table.back().push_back(accuracy::WidthScore{
            .mean = 0.02 * std::pow(decision.values.back() / width, 0.7) + 0.002 * rng.uniform(),
            .standard_error = 0.001,
            .count = 100});
      }
    }
    if (with_a_gap) {
      table[3][2].reset();
    }
    accuracy::WidthScores(*space_, table).save(scores_);
  }
  Outcome search(const std::string& arguments) const {
    return run_lathe("search --space mobilenet_v1_widths --latency " + quoted(latency_.string()) +
                     " --accuracy " + quoted(scores_.string()) + " " + arguments);
  }

  TemporaryFolder dir_;
  std::unique_ptr<space::Space> space_ = space::make_space("mobilenet_v1_widths");
  std::filesystem::path latency_ = dir_ / "latency.json";
  std::filesystem::path scores_ = dir_ / "scores.json";
};

TEST_F(SearchWidthsTest, StrategiesAreOrderedByTheirProofs) {
  const auto reach = nlohmann::json::parse(search("--strategy ows --targets 0.0001 --json").out);
  const double low = reach["reachable_ms"]["minimum"];
  const double high = reach["reachable_ms"]["maximum"];
  EXPECT_EQ(reach["targets"][0]["minimum_ms"], low);
  const std::string target = std::to_string(low + 0.3 * (high - low));
  const auto error = [&](const std::string& strategy) {
    const Outcome outcome = search("--strategy " + strategy + " --targets " + target + " --json");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.err.find("is not calibrated"), std::string::npos);
    return nlohmann::json::parse(outcome.out)["targets"][0];
  };
  const auto ows = error("ows");
  EXPECT_EQ(ows["gap"], 0.0);
  const auto lagrangian = error("lagrangian");
  EXPECT_LE(lagrangian["bound"].get<double>(), ows["error"].get<double>() + 1e-12);
  EXPECT_GE(lagrangian["error"].get<double>(), ows["error"].get<double>());
  for (const std::string strategy : {"greedy", "uniform", "all-targets --effort fast"}) {
    const auto other = error(strategy);
    EXPECT_LE(other["accuracy"].get<double>(), ows["accuracy"].get<double>()) << strategy;
    EXPECT_LE(other["latency_ms"].get<double>(), std::stod(target)) << strategy;
  }
}

TEST_F(SearchWidthsTest, LimitsOnMacsAndParametersHoldTogether) {
  const auto answer = [&](const std::string& limits) {
    const Outcome outcome =
        search("--strategy lagrangian --targets 1000 --json --max-macs 40% " + limits);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out)["targets"][0];
  };
  const auto one = answer("");
  const auto both = answer("--max-params 30%");
  for (const auto& target : {one, both}) {
    EXPECT_GE(target["gap"].get<double>(), 0.0);
    EXPECT_LT(target["gap"].get<double>(), 0.05 * target["error"].get<double>());
  }
  EXPECT_GE(both["bound"].get<double>(), one["bound"].get<double>() - 1e-12);
  const graph::Graph net = space_->graph(space_->from_json(both["arch"], "answer"));
  const graph::Graph largest = space_->graph(space_->largest());
  EXPECT_LE(graph::macs(net), 0.4 * static_cast<double>(graph::macs(largest)));
  EXPECT_LE(graph::params(net), 0.3 * static_cast<double>(graph::params(largest)));
}

TEST_F(SearchWidthsTest, AnswersShowEachLayersWidthItsScoreAndTheUniformNets) {
  save_scores(true);
  const auto scores = accuracy::WidthScores::load(*space_, scores_);
  const auto answer = nlohmann::json::parse(
      search("--strategy ows --compare greedy,uniform --targets 0.0001,1000 --json").out);
  EXPECT_FALSE(answer["targets"][0].contains("widths")) << "infeasible";
  const auto& uniform = answer["compared"][1]["targets"][1];
  for (const auto& target : {answer["targets"][1], answer["compared"][0]["targets"][1], uniform}) {
    ASSERT_EQ(target["widths"].size(), space_->decisions().size());
    const space::Arch arch = space_->from_json(target["arch"], "answer");
    for (std::size_t i = 0; i < space_->decisions().size(); ++i) {
      const auto& layer = target["widths"][i];
      EXPECT_EQ(layer["decision"], "widths[" + std::to_string(i) + "]");
      EXPECT_EQ(layer["width"], target["arch"]["widths"][i]);
      EXPECT_EQ(layer["uniform"], uniform["arch"]["widths"][i]);
      const auto& score = scores.table()[i][arch.choices[i]];
      ASSERT_TRUE(score);
      EXPECT_EQ(layer["score"]["mean"], score->mean);
      EXPECT_EQ(layer["score"]["standard_error"], score->standard_error);
    }
  }
  const auto alone = nlohmann::json::parse(search("--strategy ows --targets 1000 --json").out);
  EXPECT_FALSE(alone["targets"][0]["widths"][0].contains("uniform"));
}

TEST_F(SearchWidthsTest, GapsInScoresAreToldOrRefused) {
  save_scores(true);
  const Outcome told = search("--strategy ows --targets 1000");
  EXPECT_EQ(told.exit_code, 0);
  EXPECT_NE(told.err.find("note: 1 choices were in no net that was scored"), std::string::npos);
  expect_refused(search("--strategy ows --targets 1000 --strict"), 1,
                 "1 choices were in no net that was scored; train longer");
}

TEST_F(SearchWidthsTest, TheMinimumIsPrintedSoThatItCanBeTypedBack) {
  const std::string text = search("--strategy ows --targets 0.0001").out;
  const std::string before = "the minimum reachable is ";
  const std::size_t at = text.find(before);
  ASSERT_NE(at, std::string::npos) << text;
  const std::string minimum =
      text.substr(at + before.size(), text.find(' ', at + before.size()) - at - before.size());
  const Outcome again = search("--strategy ows --targets " + minimum);
  EXPECT_EQ(again.out.find("infeasible"), std::string::npos) << minimum;
}

}  // namespace
}  // namespace lathe
