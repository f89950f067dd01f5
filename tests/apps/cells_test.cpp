// Searching cells, deriving nets and handing them over, as users do.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "apps/tiny_run.h"
#include "lathe/core/file.h"
#include "lathe/search/cells/cell_logits.h"
#include "lathe/space/families/cell_family.h"

namespace lathe {
namespace {

using testing::Outcome;
using testing::quoted;
using testing::run_lathe;

void expect_says(const Outcome& outcome, int exit_code, const std::string& text) {
  EXPECT_EQ(outcome.exit_code, exit_code);
  EXPECT_NE(outcome.err.find(text), std::string::npos) << outcome.err;
}

class CellsTest : public ::testing::Test {
 protected:
  std::string data() const { return " --data-dir " + quoted(tiny_.data().string()); }
  std::string out(const std::string& name) const { return (tiny_.folder() / name).string(); }
  Outcome search(const std::string& name, const std::string& more) const {
    return run_lathe("train" + data() + " --validation-size 100 --batch-size 50 --train-threads 1" +
                     " --shards 1 --epochs 1 --space darts_c8_l3 --out " + quoted(out(name)) + " " +
                     more);
  }
  static nlohmann::json json(const Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  }
  /// A table by multiply-accumulates of the nets' space.
  std::string model(const std::string& name_or_file) const {
    const auto space = space::open_space(
        name_or_file, {.in_channels = 1, .num_classes = 10, .input_size = testing::kSyntheticSide});
    const std::string path = out("model.json");
    testing::table_by_macs(*space, {.device = "nothing real",
                                    .runtime = "none",
                                    .precision = "float32",
                                    .batch = 1,
                                    .threads = 1,
                                    .space = space->name(),
                                    .in_channels = space->task().in_channels,
                                    .num_classes = space->task().num_classes,
                                    .input_size = space->task().input_size})
        .save(path);
    return quoted(path);
  }

  testing::TinyRun tiny_;
};

TEST_F(CellsTest, ASearchMindsLatencyAndAnswersEveryTarget) {
  const std::string latency = " --latency " + model("darts_c8_l3");
  const nlohmann::json result = json(search(
      "pc", "--method pc-darts --first-logits-epoch 0 --latency-target 5ms --json" + latency));
  EXPECT_EQ(result["reference_ms"], 5);
  const search::CellLogits logits = search::CellLogits::load(out("pc") + "/cells.json");
  EXPECT_EQ(logits.edges.size(), 28);
  EXPECT_NE(read_file(out("pc") + "/genotype.dot").find("digraph normal"), std::string::npos);

  const nlohmann::json all =
      json(run_lathe("derive --from " + quoted(out("pc")) + latency +
                     " --json --targets 1us,1000ms --out " + quoted(out("nets"))));
  ASSERT_EQ(all["nets"].size(), 3);
  EXPECT_FALSE(all["nets"][0]["feasible"]);
  const double fastest = all["nets"][0]["minimum_ms"];
  const double freest = all["nets"][2]["predicted_ms"];
  EXPECT_EQ(all["nets"][1]["arch"], all["nets"][2]["arch"]);
  EXPECT_TRUE(all["nets"][2]["target_ms"].is_null());
  EXPECT_EQ(all["nets"][2]["arch"], read_json(out("nets") + "/no_target.json"));
  EXPECT_EQ(all["nets"][2]["genotype"], result["genotype"]);

  const double middle = (fastest + freest) / 2;
  const nlohmann::json one = json(run_lathe("derive --from " + quoted(out("pc")) + latency +
                                            " --json --targets " + std::to_string(middle)));
  EXPECT_LE(one["nets"][0]["predicted_ms"], middle);
  EXPECT_LE(one["nets"][0]["score"], one["nets"][1]["score"]);
  EXPECT_TRUE(one["nets"][0]["proved"]);

  // A search for that target ends with the best cells within it.
  const std::string target = std::to_string(middle) + "ms";
  const nlohmann::json aimed =
      json(search("aimed", "--method pc-darts --first-logits-epoch 0 --json --latency-target " +
                               target + latency));
  const nlohmann::json within = json(
      run_lathe("derive --from " + quoted(out("aimed")) + latency + " --json --targets " + target));
  EXPECT_EQ(within["nets"][0]["genotype"], aimed["genotype"]);
  EXPECT_EQ(within["nets"][0]["arch"], read_json(out("aimed") + "/genotype.json"));
  EXPECT_EQ(within["nets"][1]["predicted_ms"], aimed["derived_ms"]);

  // What is measured here is not what that model is of.
  expect_says(run_lathe("derive --from " + quoted(out("pc")) + latency + " --targets 5ms" +
                        " --runner torch --measured " + quoted(out("timed.jsonl"))),
              1, "measured under other conditions (device");

  // The nets of another size, and without a model.
  const Outcome larger = run_lathe("derive --from " + quoted(out("pc")) + " --space darts_c16_l8");
  EXPECT_EQ(larger.exit_code, 0) << larger.err;
  EXPECT_NE(larger.out.find("nets of darts_c16_l8"), std::string::npos);
}

TEST_F(CellsTest, AnswersATargetByWhatCellsTakeHere) {
  const std::string few = " --warmup 0 --rounds 2 --runs 2 --runner torch ";
  const std::string samples = quoted(out("samples.jsonl")), model = quoted(out("latency.json"));
  ASSERT_EQ(run_lathe("latency generate --space darts_c8_l3 --in-channels 1 --classes 10" +
                      (" --input-size " + std::to_string(testing::kSyntheticSide)) +
                      " --samples 20 --out " + samples + few)
                .exit_code,
            0);
  ASSERT_EQ(
      run_lathe("latency fit --model ridge --samples " + samples + " --out " + model).exit_code, 0);
  const double even = json(search("first",
                                  "--method pc-darts --first-logits-epoch 0 --json"
                                  " --latency " +
                                      model))["reference_ms"];
  const std::string target = std::to_string(even) + "ms";
  search("pc", "--method pc-darts --first-logits-epoch 0 --latency-target " + target +
                   " --latency " + model);
  EXPECT_EQ(read_json(out("pc") + "/near_target.json")["unit"], "ms");
  const std::string timed = out("timed.jsonl");
  const std::string derive = "derive --from " + quoted(out("pc")) + " --latency " + model +
                             " --json --targets 1us," + target + few + "--measured " +
                             quoted(timed);
  const nlohmann::json nets = json(run_lathe(derive))["nets"];
  ASSERT_EQ(nets.size(), 3);
  EXPECT_FALSE(nets[0]["feasible"]);
  EXPECT_GT(nets[2]["timed_ms"], 0);
  if (nets[1]["feasible"]) {
    EXPECT_LE(nets[1]["timed_ms"], even * (1 + 1e-6));
  } else {  // a slow machine since the model
    EXPECT_GT(nets[1]["fastest_timed_ms"], even);
  }
  // Nothing is timed twice: what is there answers.
  const std::string before = read_file(timed);
  EXPECT_EQ(json(run_lathe(derive))["nets"], nets);
  EXPECT_EQ(read_file(timed), before);
}

TEST_F(CellsTest, ADerivedNetTrainsWithItsHeadAndIsHandedOverWithoutIt) {
  search("d", "--method darts --second-order");
  const nlohmann::json net = json(run_lathe(
      "train" + data() + " --validation-size 100 --batch-size 50 --train-threads 1 --epochs 0.5" +
      " --method plain --space darts_c8_l3_aux --image-size 28 --drop-path 0.2 --json --arch " +
      quoted(out("d") + "/genotype.json") + " --out " + quoted(out("net"))));
  const nlohmann::json evaluated =
      json(run_lathe("evaluate --threads 1 --json --split test --weights " +
                     quoted(out("net") + "/weights.safetensors") + data() +
                     " --validation-size 100 --image-size 28"));
  EXPECT_EQ(evaluated["top1"], net["test_top1"]);
  const nlohmann::json described = json(
      run_lathe("describe --space darts_c8_l3 --in-channels 1 --classes 10 --input-size 28 --json"
                " --arch " +
                quoted(out("d") + "/genotype.json")));
  EXPECT_EQ(described["params"], net["params"]);
}

TEST_F(CellsTest, GoesOnWhereItWasAndRefusesOtherSettings) {
  const nlohmann::json first = json(search("d", "--method darts --json"));
  EXPECT_EQ(json(search("d", "--method darts --json --resume"))["genotype"], first["genotype"]);
  // What wasn't said is as published, and the folder says so: given back, it is the same search.
  const std::string config = read_file(out("d") + "/config.toml");
  EXPECT_NE(config.find("lr=0.025"), std::string::npos) << config;
  EXPECT_NE(config.find("logits-lr=0.0003"), std::string::npos) << config;
  EXPECT_EQ(json(run_lathe("train --config " + quoted(out("d") + "/config.toml") +
                           " --json --out " + quoted(out("again"))))["genotype"],
            first["genotype"]);
  expect_says(search("d", "--method darts"), 1, "--resume");
  expect_says(search("d", "--method darts --resume --second-order"), 1, "second-order");
  expect_says(run_lathe("evaluate --run " + quoted(out("d"))), 1,
              "is a search of cells, which has no net's weights; derive nets from it "
              "with lathe derive");
}

TEST_F(CellsTest, RunsFromDataToNets) {
  const std::string command =
      "run --method pc-darts --first-logits-epoch 0" + data() + " --validation-size 100" +
      " --batch-size 50 --search-batch-size 40 --search-lr 0.05 --train-threads 1" +
      " --shards 1 --epochs 1 --space darts_c8_l3 --search-space darts_c8_l3 "
      "--from-scratch 0.3 --latency-samples 30 --json --out " +
      quoted(out("run"));
  const Outcome outcome = run_lathe(command + " --targets 0.001us,1000ms");
  const nlohmann::json result = json(outcome);
  ASSERT_EQ(result["targets"].size(), 2);
  EXPECT_FALSE(result["targets"][0]["feasible"]);
  const nlohmann::json& net = result["targets"][1];
  EXPECT_TRUE(net["within_target"]);
  EXPECT_EQ(net["trained"], "alone, from scratch");
  EXPECT_GT(net["measured_ms"], 0);
  const std::string dir = out("run") + "/" + net["dir"].get<std::string>();
  const nlohmann::json evaluated =
      json(run_lathe("evaluate --threads 1 --json --split test --weights " +
                     quoted(dir + "/weights.safetensors") + data() + " --validation-size 100"));
  EXPECT_EQ(evaluated["top1"], net["test_accuracy"]);
  // The nets and the search have options of their own.
  const nlohmann::json plan = read_json(out("run") + "/search/train.json");
  EXPECT_EQ(plan.at("batch_size"), 40);
  EXPECT_EQ(plan.at("learning_rate"), 0.05);
  EXPECT_NE(read_file(out("run") + "/config.toml").find("latency-weight=0.06"), std::string::npos);
  EXPECT_EQ(JsonLines(out("run") + "/search/metrics.jsonl").read().back().at("latency_weight"),
            0.06);

  // One more target is answered from the same search.
  const std::string metrics = read_file(out("run") + "/search/metrics.jsonl");
  const nlohmann::json other = json(run_lathe(command + " --targets 900ms --resume"));
  ASSERT_EQ(other["targets"].size(), 3);
  EXPECT_EQ(other["targets"][1]["target_ms"], 900);
  EXPECT_TRUE(other["targets"][1]["within_target"]);
  EXPECT_EQ(read_file(out("run") + "/search/metrics.jsonl"), metrics);
}

TEST_F(CellsTest, SaysWhatDoesNotGoTogether) {
  const auto fails = [&](const std::string& options, int code, const std::string& text) {
    expect_says(search("x", options), code, text);
  };
  fails("--method darts --latency-weight 1", 2, "need --latency MODEL");
  fails("--method darts --edges by-weight", 2, "--edges by-weight needs --method pc-darts");
  fails("--method deps --second-order", 2, "--second-order is for --method darts and pc-darts");
  expect_says(run_lathe("run --search-lr 0.1" + data() + " --out " + quoted(out("z"))), 2,
              "--search-lr is for --method darts and pc-darts, not deps");
  expect_says(run_lathe("train --method darts --space mbv3_28" + data() +
                        " --validation-size 100 --out " + quoted(out("z"))),
              1, "has no cells to search");
  fails("--method darts --latency " + model("mbv3_28"), 1, "expected one of cells");
  fails("--method darts --latency-target 1us --latency " + model("darts_c8_l3"), 1,
        "is below the fastest cells, which take");
  fails("--method darts --image-size 16 --latency " + model("darts_c8_l3"), 1,
        "pixels, expected 16x16");
  fails("--method darts --first-logits-epoch 2", 1, "first_logits_epoch must be in [0, epochs)");
  expect_says(run_lathe("derive --from " + quoted(out("x"))), 2, "");
  std::filesystem::create_directories(out("empty"));
  expect_says(run_lathe("derive --from " + quoted(out("empty"))), 2,
              "name a model (--latency), or the space");
  expect_says(run_lathe("train --method pc-darts --space darts_c4_l3" + data() +
                        " --validation-size 100 --out " + quoted(out("c4"))),
              1, "its 4 channels don't divide into 4 parts of even numbers of channels");
  expect_says(run_lathe("derive --space mbv3_28 --from " + quoted(out("empty"))), 1,
              "space mbv3_28 has no cells to search");
  expect_says(run_lathe("derive --space darts_c8_l3 --from " + quoted(out("empty"))), 1,
              "has no cells.json: expected a finished search");
  write_json(out("both") + "/cells.json", search::CellLogits::zero(2, false).to_json());
  expect_says(run_lathe("derive --space darts_c8_l1 --from " + quoted(out("both"))), 1,
              "have normal cells alone, the search in");
  expect_says(run_lathe("run --method darts --budget 10m --out " + quoted(out("y"))), 2,
              "are for supernets, not for --method darts");
}

}  // namespace
}  // namespace lathe
