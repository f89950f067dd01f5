// lathe accuracy collect, fit and validate.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/program.h"
#include "apps/tiny_run.h"
#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/accuracy/sample.h"
#include "lathe/accuracy/validation.h"
#include "lathe/accuracy/width_scores.h"
#include "lathe/core/random.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe {
namespace {

using lathe::testing::expect_failure;
using lathe::testing::lines_of;
using lathe::testing::Outcome;
using lathe::testing::quoted;
using lathe::testing::run_lathe;
using lathe::testing::TemporaryFolder;

class AccuracyTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (dir_ / name).string(); }
  std::string file(const std::string& name) const { return quoted(path(name)); }

  /// More of anything helps, by as much as a seed says, up to noise.
  void write_samples(const std::string& name, int count, std::uint64_t seed) const {
    accuracy::SampleLog log(dir_ / name, *space_,
                            {.space = space_->name(),
                             .task = space_->task(),
                             .dataset = "made up",
                             .weights = "none",
                             .validation_images = 1000,
                             .seed = 0});
    Rng rng(seed);
    for (int i = 0; i < count; ++i) {
      const space::Arch arch = space_->sample(rng);
      double accuracy = 0.6 + 0.002 * rng.normal();
      for (std::size_t d = 0; d < arch.choices.size(); ++d) {
        if (space_->alive(arch, static_cast<int>(d))) {
          accuracy += 0.002 * static_cast<double>(1 + d % 3) * arch.choices[d];
        }
      }
      log.append({arch, accuracy});
    }
  }

  TemporaryFolder dir_;
  std::unique_ptr<space::Space> space_ =
      space::make_space("mbv3_28", {.in_channels = 3, .num_classes = 5, .input_size = 32});
};

TEST_F(AccuracyTest, FromEvaluatedSubnetsToAValidatedPredictor) {
  write_samples("train.jsonl", 80, 1);
  write_samples("other.jsonl", 60, 2);
  const std::string fit = "accuracy fit --samples " + file("train.jsonl") + " --out " + file("m");
  const Outcome fitted = run_lathe(fit + " --json");
  ASSERT_EQ(fitted.exit_code, 0) << fitted.err;
  EXPECT_EQ(fitted.err, "");
  const auto said = nlohmann::json::parse(fitted.out);
  EXPECT_EQ(said.at("samples"), 80);
  EXPECT_EQ(said.at("nets"), 80);
  EXPECT_EQ(said.at("space"), "mbv3_28");
  EXPECT_GT(said.at("kendall"), 0.5);
  const auto predictor = accuracy::PerceptronPredictor::load(*space_, dir_ / "m");
  EXPECT_EQ(said.at("rmse_points"), 100 * predictor.fit().rmse);
  EXPECT_EQ(said.at("kendall"), predictor.fit().kendall_tau);

  const std::string validate = "accuracy validate --model " + file("m") + " --samples ";
  const Outcome outcome = run_lathe(validate + file("other.jsonl") + " --json");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto error = nlohmann::json::parse(outcome.out);
  const auto others = accuracy::read_samples(dir_ / "other.jsonl", *space_).samples;
  const auto expected = accuracy::predictor_error(predictor, others);
  EXPECT_EQ(error.at("samples"), 60);
  EXPECT_EQ(error.at("rmse_points"), 100 * expected.rmse);
  EXPECT_EQ(error.at("bias_points"), 100 * expected.bias);
  EXPECT_EQ(error.at("kendall"), expected.kendall);
  EXPECT_EQ(error.at("spearman"), expected.spearman);
  EXPECT_LT(error.at("rmse_points"), error.at("baselines").at("constant").at("rmse_points"));
  EXPECT_EQ(error.at("baselines").at("constant").at("kendall"), 0.0);
  EXPECT_GT(error.at("baselines").at("macs").at("kendall"), 0.2);

  const auto lines = lines_of(run_lathe(validate + file("other.jsonl")).out);
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[0], "60 samples of mbv3_28");
  EXPECT_EQ(lines[2].rfind("predictor ", 0), 0U);
  EXPECT_EQ(lines[3].rfind("best constant ", 0), 0U);
  EXPECT_EQ(lines[4].rfind("MACs alone ", 0), 0U);
}

TEST_F(AccuracyTest, PutsALineThroughScoresOfWidths) {
  write_samples("samples.jsonl", 30, 1);
  accuracy::WidthScoreTable table;
  for (std::size_t d = 0; d < space_->decisions().size(); ++d) {
    table.emplace_back();
    for (int i = 0; i < space_->decisions()[d].num_choices(); ++i) {
      table.back().push_back(
          accuracy::WidthScore{-0.002 * static_cast<double>(1 + d % 3) * i, 0.001, 9});
    }
  }
  accuracy::WidthScores(*space_, table).save(dir_ / "scores.json");
  const std::string fit = "accuracy fit --samples " + file("samples.jsonl") + " --scores " +
                          file("scores.json") + " --out ";
  const Outcome fitted = run_lathe(fit + file("line.json") + " --json");
  ASSERT_EQ(fitted.exit_code, 0) << fitted.err;
  const auto said = nlohmann::json::parse(fitted.out);
  const auto scores = accuracy::WidthScores::load(*space_, dir_ / "line.json");
  ASSERT_TRUE(scores.calibration().has_value());
  EXPECT_EQ(said.at("rmse_points"), 100 * scores.calibration()->rmse);
  EXPECT_NEAR(scores.calibration()->slope, 1.0, 0.3)
      << "the scores are what the samples were made of";
  EXPECT_GT(said.at("kendall"), 0.7);
  expect_failure(run_lathe(fit + file("scores.json")), 1,
                 path("scores.json") + ": is read here; name another file with --out");
}

TEST_F(AccuracyTest, CollectsFromATrainedRun) {
  const lathe::testing::TinyRun tiny;
  const std::string run = quoted(tiny.out().string());
  const auto train = [&](const std::string& out, const std::string& more) {
    return run_lathe("train --data-dir " + quoted(tiny.data().string()) + " --out " + quoted(out) +
                     " --epochs 0.2 --validation-size 100 --batch-size 50 --train-threads 1 " +
                     more);
  };
  const Outcome trained = train(tiny.out().string(), "--method deps");
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const std::string collect = "accuracy collect --from " + run +
                              " --threads 1 --json --samples 12 --out " + file("s.jsonl");
  const std::string images = " --images 80";
  const Outcome dry = run_lathe(collect + images + " --dry-run");
  ASSERT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_GT(nlohmann::json::parse(dry.out).at("seconds"), 0);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "s.jsonl"));
  const Outcome outcome = run_lathe(collect + images);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto said = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(said.at("samples"), 12);
  EXPECT_LE(said.at("lowest"), said.at("highest"));
  const auto conditions = accuracy::conditions_of_samples(dir_ / "s.jsonl");
  EXPECT_EQ(conditions.space, "mbv3_28");
  EXPECT_EQ(conditions.validation_images, 80);
  const std::string all = read_file(dir_ / "s.jsonl");

  // Cut in the middle: goes on, to the same file.
  write_file_atomic(dir_ / "s.jsonl", all.substr(0, all.size() / 2));
  EXPECT_EQ(run_lathe(collect + images).exit_code, 0);
  EXPECT_EQ(read_file(dir_ / "s.jsonl"), all);
  expect_failure(run_lathe(collect + " --images 50"), 1,
                 path("s.jsonl") +
                     ": evaluated under other conditions: validation_images: 80 against 50; name "
                     "another file");
  EXPECT_NE(run_lathe(collect + images + " --seed 1")
                .err.find("is not the subnet that is drawn here; name another file"),
            std::string::npos);
  EXPECT_EQ(read_file(dir_ / "s.jsonl"), all);

  const Outcome fit =
      run_lathe("accuracy fit --samples " + file("s.jsonl") + " --out " + file("m"));
  EXPECT_EQ(fit.exit_code, 0) << fit.err;

  // The test images are others.
  expect_failure(run_lathe(collect + images + " --split test"), 1,
                 path("s.jsonl") + ": evaluated under other conditions: dataset: \"" +
                     conditions.dataset + "\" against \"" + conditions.dataset +
                     " (test)\"; name another file");
  const Outcome test = run_lathe("accuracy collect --from " + run +
                                 " --threads 1 --samples 12 --split test --out " + file("t.jsonl"));
  ASSERT_EQ(test.exit_code, 0) << test.err;
  EXPECT_EQ(run_lathe("accuracy validate --model " + file("m") + " --samples " + file("t.jsonl"))
                .exit_code,
            0);
  EXPECT_EQ(run_lathe("accuracy validate --model " + file("m") + " --samples " + file("s.jsonl"))
                .exit_code,
            0);

  const std::string none = path("empty");
  std::filesystem::create_directories(none);
  expect_failure(run_lathe("accuracy collect --samples 12 --from " + quoted(none) + " --out " +
                           file("n.jsonl")),
                 1,
                 none +
                     ": has no trained weights: expected train.json and a checkpoint, as lathe "
                     "train and lathe run leave them");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "n.jsonl"));
  EXPECT_EQ(run_lathe("accuracy collect --samples 12 --out " + file("n.jsonl")).exit_code, 2);
}

TEST_F(AccuracyTest, TheSeedDecides) {
  write_samples("s.jsonl", 20, 1);
  const auto fitted = [&](const std::string& seed) {
    EXPECT_EQ(run_lathe("accuracy fit --samples " + file("s.jsonl") + " --out " + file("m") +
                        " --seed " + seed)
                  .exit_code,
              0);
    return read_file(dir_ / "m");
  };
  const std::string first = fitted("1");
  EXPECT_EQ(fitted("1"), first);
  EXPECT_NE(fitted("2"), first);
}

TEST_F(AccuracyTest, ValidatesOnNoTrainingNet) {
  write_samples("train.jsonl", 20, 1);
  write_samples("both.jsonl", 35, 1);  // begins with the same nets
  ASSERT_EQ(
      run_lathe("accuracy fit --samples " + file("train.jsonl") + " --out " + file("m")).exit_code,
      0);
  const std::string validate = "accuracy validate --json --model " + file("m");
  const Outcome outcome = run_lathe(validate + " --train-samples " + file("train.jsonl") +
                                    " --samples " + file("both.jsonl"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("samples"), 15);
  EXPECT_EQ(outcome.err, path("both.jsonl") + ": 20 samples of training nets are left out\n");
  expect_failure(run_lathe(validate + " --train-samples " + file("both.jsonl") + " --samples " +
                           file("train.jsonl")),
                 1,
                 path("train.jsonl") + ": every net of it is in " + path("both.jsonl") +
                     " too; evaluate others to validate on");
}

TEST_F(AccuracyTest, FewNetsHaveNoBaselines) {
  write_samples("train.jsonl", 20, 1);
  write_samples("few.jsonl", 4, 2);
  ASSERT_EQ(
      run_lathe("accuracy fit --samples " + file("train.jsonl") + " --out " + file("m")).exit_code,
      0);
  const std::string validate =
      "accuracy validate --model " + file("m") + " --samples " + file("few.jsonl");
  const auto lines = lines_of(run_lathe(validate).out);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines.back(), "too few nets for baselines: they need 10");
  EXPECT_TRUE(nlohmann::json::parse(run_lathe(validate + " --json").out).at("baselines").is_null());
}

TEST_F(AccuracyTest, SaysWhatIsWrongAndOverwritesNothing) {
  write_samples("s.jsonl", 9, 1);
  write_file_atomic(dir_ / "m", "precious");
  const std::string fit = "accuracy fit --out " + file("m") + " --samples ";
  expect_failure(
      run_lathe(fit + file("s.jsonl")), 1,
      path("s.jsonl") + ": an accuracy predictor needs samples of at least 10 nets, got 9");
  expect_failure(run_lathe(fit + file("none")), 1,
                 path("none") + ": cannot read: No such file or directory");
  write_file_atomic(dir_ / "latency.jsonl", "{\"fingerprint\": {}}\n");
  expect_failure(run_lathe(fit + file("latency.jsonl")), 1,
                 path("latency.jsonl") + ":1: \"conditions\": expected another type, got nothing");
  write_samples("s.jsonl", 20, 1);
  expect_failure(
      run_lathe("accuracy fit --samples " + file("s.jsonl") + " --out " + file("s.jsonl")), 1,
      path("s.jsonl") + ": is read here; name another file with --out");
  expect_failure(
      run_lathe("accuracy validate --model " + file("m") + " --samples " + file("s.jsonl")), 1,
      path("m") +
          ": not a safetensors file: a header of 8319678385066701424 bytes, at most 16777216 are "
          "allowed");
  EXPECT_EQ(read_file(dir_ / "m"), "precious");
  EXPECT_EQ(run_lathe("accuracy fit --samples " + file("s.jsonl")).exit_code, 2);
  EXPECT_EQ(run_lathe("accuracy validate --samples " + file("s.jsonl")).exit_code, 2);
  std::ofstream(dir_ / "s.jsonl", std::ios::app) << "{\"arch";
  const Outcome torn =
      run_lathe("accuracy fit --samples " + file("s.jsonl") + " --out " + file("n"));
  EXPECT_EQ(torn.exit_code, 0);
  EXPECT_EQ(torn.err, path("s.jsonl") + ": the last line is unfinished and was left out\n");
}

}  // namespace
}  // namespace lathe
