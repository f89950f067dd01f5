#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/program.h"
#include "apps/synthetic_model_files.h"
#include "lathe/graph/counts.h"
#include "lathe/space/space_file.h"
#include "published_data.h"
#include "report/well_formed.h"

namespace lathe {
namespace {

using lathe::testing::expect_failure;
using lathe::testing::expect_well_formed;
using lathe::testing::lines_of;
using lathe::testing::Outcome;
using lathe::testing::quoted;
using lathe::testing::run_lathe;
using lathe::testing::SyntheticModelFiles;
using lathe::testing::TemporaryFolder;
using lathe::testing::write_synthetic_models;

const std::vector<std::string> kStrategies = {
    "all-targets",        "vanilla", "top-down", "bottom-up", "top-down-as-coded",
    "bottom-up-as-coded", "cold",    "random"};

const std::string kCompareAll =
    " --compare vanilla,top-down,bottom-up,top-down-as-coded,bottom-up-as-coded,cold,random";

/// The strategy that was asked for, then those that it was compared with.
std::vector<nlohmann::json> runs_of(const nlohmann::json& answer) {
  std::vector<nlohmann::json> runs = {answer};
  for (const auto& run : answer.value("compared", nlohmann::json::array())) {
    runs.push_back(run);
  }
  return runs;
}

/// A space with its models, and the latencies between which its nets are.
class Searched {
 public:
  /// `name` is what --space says: a built-in space or a file.
  explicit Searched(const std::string& name)
      : name_(name),
        space_(space::open_space(name)),
        files_(write_synthetic_models(*space_, folder_.path())),
        latency_(latency::BlockTable::load(*space_, files_.latency)),
        accuracy_(accuracy::PerceptronPredictor::load(*space_, files_.accuracy)) {}

  const space::Space& space() const { return *space_; }
  const SyntheticModelFiles& files() const { return files_; }
  double smallest_ms() const { return latency_.predict_ms(space_->smallest()); }
  double largest_ms() const { return latency_.predict_ms(space_->largest()); }
  /// `share` of the way from the smallest to the largest.
  double target_ms(double share) const {
    return smallest_ms() + share * (largest_ms() - smallest_ms());
  }

  /// A short search, unless `more` says how long.
  Outcome search(const std::string& targets, const std::string& more = "") const {
    return run_lathe(
        "search --space " + quoted(name_) + " --latency " + quoted(files_.latency.string()) +
        " --accuracy " + quoted(files_.accuracy.string()) + " --targets " + targets +
        " --effort fast " +
        (more.find("--generations") == std::string::npos ? "--generations 6 " : "") +
        (more.find("--population") == std::string::npos ? "--population 20 " : "") + more);
  }
  /// Of targets at `shares` of the way from the smallest to the largest net.
  Outcome search_at(const std::vector<double>& shares, const std::string& more = "") const {
    std::string targets;
    for (const double share : shares) {
      targets += (targets.empty() ? "" : ",") + std::to_string(target_ms(share));
    }
    return search(targets, more);
  }

  /// Expects that the net of `target` has the figures beside it and keeps the target.
  void expect_true(const nlohmann::json& target) const {
    ASSERT_TRUE(target.at("feasible").get<bool>()) << target;
    const space::Arch arch = space_->from_json(target.at("arch"), "answer");
    EXPECT_NEAR(target.at("latency_ms").get<double>(), latency_.predict_ms(arch), 1e-9);
    EXPECT_EQ(target.at("accuracy").get<double>(), accuracy_.predict(arch));
    EXPECT_LE(target.at("latency_ms").get<double>(), target.at("target_ms").get<double>());
    EXPECT_GT(target.at("evaluations"), 0);
    EXPECT_GE(target.at("seconds").get<double>(), 0);
    EXPECT_FALSE(target.at("provenance").get<std::string>().empty());
  }

 private:
  std::string name_;
  TemporaryFolder folder_;
  std::unique_ptr<space::Space> space_;
  SyntheticModelFiles files_;
  latency::BlockTable latency_;
  accuracy::PerceptronPredictor accuracy_;
};

class SearchTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (temporary_ / name).string(); }

  Searched searched_{"mbv3_28"};
  TemporaryFolder temporary_;
};

/// `json` without what depends on the machine's speed.
nlohmann::json timeless(nlohmann::json json) {
  json.erase("seconds");
  for (nlohmann::json& target : json.at("targets")) {
    target.erase("seconds");
  }
  return json;
}

TEST_F(SearchTest, EveryStrategyAnswersWithNetsThatHaveTheFiguresBesideThem) {
  const Outcome outcome = searched_.search_at({0.2, 0.5, 0.9}, "--json" + kCompareAll);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto answer = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(answer.at("space"), "mbv3_28");
  EXPECT_EQ(answer.at("predicted"), nlohmann::json({"latency_ms", "accuracy"}));
  EXPECT_NEAR(answer.at("reachable_ms").at("minimum"), searched_.smallest_ms(), 1e-9);
  EXPECT_NEAR(answer.at("reachable_ms").at("maximum"), searched_.largest_ms(), 1e-9);
  const std::vector<nlohmann::json> runs = runs_of(answer);
  ASSERT_EQ(runs.size(), kStrategies.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    SCOPED_TRACE(kStrategies[i]);
    EXPECT_EQ(runs[i].at("strategy"), kStrategies[i]);
    EXPECT_GT(runs[i].at("evaluations"), 0);
    EXPECT_GE(runs[i].at("seconds").get<double>(), 0);
    ASSERT_EQ(runs[i].at("targets").size(), 3U);
    for (const auto& target : runs[i].at("targets")) {
      searched_.expect_true(target);
      EXPECT_FALSE(target.contains("candidates"));
    }
  }
}

TEST_F(SearchTest, SameSeedSameAnswer) {
  const auto answer = [&](const std::string& more) {
    return timeless(nlohmann::json::parse(searched_.search_at({0.3, 0.6}, "--json " + more).out));
  };
  for (const std::string strategy : {"all-targets", "top-down"}) {
    const std::string options = "--strategy " + strategy + " --seed ";
    EXPECT_EQ(answer(options + "5"), answer(options + "5"));
    EXPECT_NE(answer(options + "5"), answer(options + "6"));
  }
}

TEST_F(SearchTest, PrintsATableForPeople) {
  const Outcome outcome = searched_.search("0.0001," + std::to_string(searched_.largest_ms()));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 5U) << outcome.out;
  EXPECT_NE(lines[0].find("predicted ms | predicted accuracy"), std::string::npos);
  EXPECT_NE(lines[1].find("infeasible: the minimum reachable is "), std::string::npos);
  EXPECT_NE(lines[2].find("% | "), std::string::npos);
  EXPECT_EQ(lines[3].rfind("mbv3_28 by all-targets: ", 0), 0U);
  EXPECT_NE(lines[3].find("latency and accuracy are predicted"), std::string::npos);
  EXPECT_NE(lines[4].find("ms: {\"space\":\"mbv3_28\""), std::string::npos);
}

TEST_F(SearchTest, SaysWhatIsReachableBeforeItStarts) {
  const Outcome all = searched_.search_at({0.5});
  EXPECT_NE(all.err.find("ms reachable, predicted\ntargets: all 1 satisfiable\n"),
            std::string::npos)
      << all.err;
  const Outcome some = searched_.search("0.0001,1e6", "--max-macs 50%");
  EXPECT_EQ(lines_of(some.err).at(0),
            "macs: at most 6.239M of 2.528M (smallest net) to 12.48M (largest)")
      << some.err;
  EXPECT_NE(some.err.find("ms reachable, predicted; the latter without the limits\n"
                          "targets: 1 of 2 satisfiable; too low: 0.0001\n"),
            std::string::npos)
      << some.err;
}

TEST_F(SearchTest, SortsTargetsAndTakesEachOnce) {
  const Outcome outcome = searched_.search("3e3,1e3,3e3,2e3", "--json");
  ASSERT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(lines_of(outcome.err).at(0), "note: --targets sorted, each once: 1000, 2000, 3000");
  std::vector<double> targets_ms;
  const auto answer = nlohmann::json::parse(outcome.out);
  for (const auto& target : answer.at("targets")) {
    targets_ms.push_back(target.at("target_ms"));
  }
  EXPECT_EQ(targets_ms, (std::vector<double>{1000, 2000, 3000}));
  EXPECT_EQ(searched_.search("1e3,2e3").err.find("note:"), std::string::npos);
}

TEST_F(SearchTest, InfeasibleIsAnAnswer) {
  const Outcome outcome = searched_.search("0.0001,0.0002", "--json" + kCompareAll);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const auto& run : runs_of(nlohmann::json::parse(outcome.out))) {
    SCOPED_TRACE(run.at("strategy").get<std::string>());
    ASSERT_EQ(run.at("targets").size(), 2U);
    for (const auto& target : run.at("targets")) {
      EXPECT_EQ(target.at("feasible"), false);
      EXPECT_NEAR(target.at("minimum_ms"), searched_.smallest_ms(), 1e-9);
      EXPECT_FALSE(target.contains("arch"));
    }
  }
}

TEST_F(SearchTest, KeepsTheOtherLimits) {
  const space::Space& space = searched_.space();
  const graph::Graph largest = space.graph(space.largest());
  const Outcome outcome = searched_.search_at(
      {0.5, 1.0}, "--json --compare top-down --max-macs 40% --max-params 45% --max-memory-mb 90%");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto answer = nlohmann::json::parse(outcome.out);
  for (const char* name : {"macs", "params", "memory_mb"}) {
    const auto& limit = answer.at("limits").at(name);
    EXPECT_LT(limit.at("smallest"), limit.at("limit"));
    EXPECT_LT(limit.at("limit"), limit.at("largest"));
  }
  std::vector<nlohmann::json> targets;
  for (const auto& run : runs_of(answer)) {
    ASSERT_EQ(run.at("targets").size(), 2U);
    targets.insert(targets.end(), run.at("targets").begin(), run.at("targets").end());
  }
  for (const auto& target : targets) {
    searched_.expect_true(target);
    const graph::Graph net = space.graph(space.from_json(target.at("arch"), "answer"));
    EXPECT_LE(static_cast<double>(graph::macs(net)), 0.40 * static_cast<double>(macs(largest)));
    EXPECT_LE(static_cast<double>(graph::params(net)), 0.45 * static_cast<double>(params(largest)));
    EXPECT_LE(static_cast<double>(graph::peak_memory_bytes(net)),
              0.90 * static_cast<double>(peak_memory_bytes(largest)));
  }

  const Outcome none = searched_.search_at({0.5}, "--json --max-macs 1k");
  ASSERT_EQ(none.exit_code, 0) << none.err;
  EXPECT_NE(none.err.find("latency: no net within the limits was found"), std::string::npos);
  const auto impossible = nlohmann::json::parse(none.out);
  EXPECT_EQ(impossible.at("targets").at(0).at("feasible"), false);
  EXPECT_TRUE(impossible.at("targets").at(0).at("minimum_ms").is_null());
  EXPECT_NE(searched_.search_at({0.5}, "--max-macs 1k").out.find("no net within the limits"),
            std::string::npos);
}

TEST_F(SearchTest, ListsRankedCandidates) {
  const Outcome outcome = searched_.search_at({0.5}, "--json --candidates 4");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto target = nlohmann::json::parse(outcome.out).at("targets").at(0);
  const auto& candidates = target.at("candidates");
  ASSERT_EQ(candidates.size(), 4U);
  EXPECT_EQ(candidates[0].at("arch"), target.at("arch"));
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    EXPECT_LE(candidates[i].at("accuracy"), candidates[i - 1].at("accuracy"));
    EXPECT_LE(candidates[i].at("latency_ms"), target.at("target_ms"));
  }
}

TEST_F(SearchTest, StopsAtItsBudget) {
  const Outcome few = searched_.search_at({0.5}, "--json --strategy random --evaluations 50");
  ASSERT_EQ(few.exit_code, 0) << few.err;
  EXPECT_LE(nlohmann::json::parse(few.out).at("evaluations"), 50);
  const Outcome brief =
      searched_.search_at({0.5}, "--json --strategy vanilla --generations 1000000 --budget-s 0.2");
  ASSERT_EQ(brief.exit_code, 0) << brief.err;
  searched_.expect_true(nlohmann::json::parse(brief.out).at("targets").at(0));
}

TEST_F(SearchTest, WritesAFolder) {
  const Outcome outcome = searched_.search_at(
      {0.0, 0.5}, "--json --compare random,cold --out " + quoted(path("new/answer")));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto answer = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(read_json(path("new/answer/result.json")), answer);
  ASSERT_EQ(answer.at("compared").size(), 2U);
  EXPECT_EQ(answer.at("compared").at(1).at("strategy"), "cold");

  for (const auto& target : answer.at("targets")) {
    const std::string arch = path("new/answer/arch_" + target.at("target_ms").dump() + "ms.json");
    EXPECT_EQ(read_json(arch), target.at("arch"));
    const Outcome described = run_lathe("describe --space mbv3_28 --json --arch " + quoted(arch));
    EXPECT_EQ(described.exit_code, 0) << described.err;
  }

  const std::string svg = read_file(path("new/answer/tradeoff.svg"));
  expect_well_formed(svg);
  for (const char* text : {">front, all-targets<", ">all-targets<", ">random<", ">cold<",
                           "predicted latency (ms)", "predicted accuracy (%)"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }

  const auto rows = lines_of(read_file(path("new/answer/front.csv")));
  ASSERT_GT(rows.size(), 2U);
  EXPECT_EQ(rows[0], "predicted_latency_ms,predicted_accuracy,ks,e,d,r");
  double before_ms = 0;
  double before = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    std::istringstream row(rows[i]);
    std::string field;
    std::getline(row, field, ',');
    EXPECT_GT(std::stod(field), before_ms);
    before_ms = std::stod(field);
    std::getline(row, field, ',');
    EXPECT_GT(std::stod(field), before);
    before = std::stod(field);
    EXPECT_EQ(std::count(rows[i].begin(), rows[i].end(), ','), 5);
  }
}

TEST_F(SearchTest, WritesSingleFilesAndComparesInTheTable) {
  const Outcome outcome =
      searched_.search_at({0.5}, "--compare random --front " + quoted(path("front.csv")) +
                                     " --plot " + quoted(path("plot.svg")));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(lines_of(read_file(path("front.csv"))).at(0).rfind("predicted_latency_ms", 0), 0U);
  expect_well_formed(read_file(path("plot.svg")));
  EXPECT_NE(outcome.out.find("predicted accuracy in percent by strategy\n"
                             "target ms | all-targets |  random\n"),
            std::string::npos)
      << outcome.out;
}

TEST_F(SearchTest, WorksForEverySpaceWithModels) {
  const std::string of_user = std::string(LATHE_EXAMPLES) + "/spaces/edge_28.json";
  for (const std::string& name :
       {std::string("ofa_mbv3_w1.0"), std::string("ofa_proxyless_w1.3"),
        std::string("ofa_resnet50d"), std::string("compofa_mbv3"), of_user}) {
    SCOPED_TRACE(name);
    const Searched searched(name);
    const Outcome outcome = searched.search_at({0.1, 0.4}, "--json --compare top-down");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const auto answer = nlohmann::json::parse(outcome.out);
    for (const auto& run : {answer, answer.at("compared").at(0)}) {
      ASSERT_EQ(run.at("targets").size(), 2U);
      for (const auto& target : run.at("targets")) {
        searched.expect_true(target);
      }
    }
  }
}

TEST_F(SearchTest, ReadsItsOptionsFromAFile) {
  write_file_atomic(path("search.toml"),
                    "[search]\nspace = \"mbv3_28\"\nlatency = \"" +
                        searched_.files().latency.string() + "\"\naccuracy = \"" +
                        searched_.files().accuracy.string() +
                        "\"\ntargets = [1000, 2000]\nstrategy = \"random\"\npopulation = 5\n"
                        "generations = 2\nmax-macs = \"50%\"\n");
  const Outcome outcome = run_lathe("search --json --config " + quoted(path("search.toml")));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto answer = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(answer.at("strategy"), "random");
  EXPECT_EQ(answer.at("targets").size(), 2U);
  EXPECT_TRUE(answer.at("limits").contains("macs"));
}

TEST(PublishedSearchTest, SearchesTheResolutionsThatTableAndPredictorShare) {
  const auto data = testing::published_data();
  if (!data) {
    GTEST_SKIP() << "LATHE_PUBLISHED_DATA is not set";
  }
  const std::filesystem::path note10 = *data / "ofa_note10";
  const Outcome outcome = run_lathe(
      "search --space ofa_mbv3_w1.2 --targets 5,15,30 --effort fast --compare top-down "
      "--generations 4 --json --latency " +
      quoted(note10.string()) + " --accuracy " +
      quoted((note10 / "accuracy_predictor.safetensors").string()));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("resolutions that both models cover: 160, 176, 192, 208, 224;"),
            std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("targets: 2 of 3 satisfiable; too low: 5\n"), std::string::npos);
  const auto answer = nlohmann::json::parse(outcome.out);
  for (const auto& run : runs_of(answer)) {
    EXPECT_NEAR(run.at("targets").at(0).at("minimum_ms").get<double>(), 9.89, 0.005);
    for (const int i : {1, 2}) {
      const auto& target = run.at("targets").at(i);
      EXPECT_LE(target.at("latency_ms"), target.at("target_ms"));
      EXPECT_GT(target.at("accuracy").get<double>(), i == 1 ? 0.76 : 0.80);
    }
  }
}

TEST_F(SearchTest, RefusesBadOptions) {
  const auto fails = [&](const std::string& targets, const std::string& more,
                         const std::string& text) {
    expect_failure(searched_.search(targets, more), 2, text + " (see lathe --help)");
  };
  fails("''", "", "--targets: must be a number > 0, got \"\"");
  fails("1,nan", "", "--targets: must be a number > 0, got \"nan\"");
  fails("1,-2", "", "--targets: must be a number > 0, got \"-2\"");
  fails("1,inf", "", "--targets: must be a number > 0, got \"inf\"");
  fails("10ms", "", "--targets: must be a number > 0, got \"10ms\"");
  fails("1", "--strategy top-dwon",
        "--strategy: unknown strategy \"top-dwon\": did you mean \"top-down\"?");
  fails("1", "--compare cold,colt", "--compare: unknown strategy \"colt\": did you mean \"cold\"?");
  fails("1", "--population 0", "--population: must be a whole number from 1 to 1000000, got \"0\"");
  fails("1", "--population 99999999999999",
        "--population: must be a whole number from 1 to 1000000, got \"99999999999999\"");
  fails("1", "--generations 1000000000",
        "--generations: must be a whole number from 1 to 1000000, got \"1000000000\"");
  fails("1", "--mutation-prob nan", "--mutation-prob: must be a number from 0 to 1, got \"nan\"");
  fails("1", "--parent-ratio 1.5", "--parent-ratio: must be a number from 0 to 1, got \"1.5\"");
  fails("1", "--parent-ratio 0", "--parent-ratio: must be a number > 0, got \"0\"");
  fails("1", "--population 1000 --generations 1000000",
        "--population: must be at most 100 with so many generations, got 1000");
  fails("1", "--followup-generations some",
        "--followup-generations: must be sqrt or a number from 1 to 1000000, got \"some\"");
  fails("1", "--budget-s 0", "--budget-s: must be a number > 0, got \"0\"");
  fails("1", "--max-macs 3q",
        "--max-macs: must be a number > 0 such as 300000, 300k, 1.5M or 2G, or a share of the "
        "largest net such as 50%, got \"3q\"");
  expect_failure(run_lathe("search --space mbv3_28 --latency a --accuracy b"), 2,
                 "--targets is required (see lathe --help)");
}

TEST_F(SearchTest, RefusesModelsThatDoNotFit) {
  const auto search = [&](const std::string& space, const std::string& latency,
                          const std::string& accuracy) {
    return run_lathe("search --targets 1 --space " + space + " --latency " + quoted(latency) +
                     " --accuracy " + quoted(accuracy));
  };
  const std::string latency = searched_.files().latency.string();
  const std::string accuracy = searched_.files().accuracy.string();
  const std::string missing = path("missing");
  expect_failure(search("mbv3_28", missing, accuracy), 1,
                 missing + ": cannot read: No such file or directory");
  expect_failure(search("mbv3_28", latency, missing), 1,
                 missing + ": cannot read: No such file or directory");
  for (const auto& outcome :
       {search("deps_mbv3", latency, accuracy), search("mbv3_28", accuracy, accuracy),
        search("mbv3_28", latency, latency)}) {
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(lines_of(outcome.err).size(), 1U) << outcome.err;
  }
}

TEST_F(SearchTest, RefusesPlacesThatItCannotWriteTo) {
  write_file_atomic(path("file"), "text");
  expect_failure(searched_.search_at({0.5}, "--out " + quoted(path("file/answer"))), 1,
                 path("file/answer") + ": cannot make this folder: Not a directory");
  const std::string folder = path("answer");
  ASSERT_EQ(searched_.search_at({0.5}, "--out " + quoted(folder)).exit_code, 0);
  expect_failure(searched_.search_at({0.6}, "--out " + quoted(folder)), 1,
                 folder + ": already has a result.json; name another folder with --out");
  expect_failure(searched_.search_at({0.5}, "--front " + quoted(path("file/front.csv"))), 1,
                 path("file") + ": cannot make this folder: Not a directory");
}

}  // namespace
}  // namespace lathe
