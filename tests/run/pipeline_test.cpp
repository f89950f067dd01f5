#include "lathe/run/pipeline.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/photo_files.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/graph/counts.h"
#include "lathe/run/specialize.h"
#include "lathe/space/space_file.h"
#include "run/pipeline_fixture.h"
#include "space/tiny_spaces.h"

namespace lathe::run {
namespace {

using lathe::testing::text_thrown;

TEST(DefaultSpace, FollowsTheImages) {
  EXPECT_EQ(default_space(28), "mbv3_28");
  EXPECT_EQ(default_space(48), "mbv3_28");
  EXPECT_EQ(default_space(64), "mbv3_photo");
  EXPECT_EQ(default_space(224), "mbv3_photo");
}

TEST_F(PipelineTest, TrainsOnAFolderOfPhotographs) {
  testing::write_photo_folder(temporary_ / "photos", 12, 40, 50);
  testing::write_plain(temporary_ / "photos/discs/broken.jpg", "not an image");
  options_.training.dataset = (temporary_ / "photos").string();
  options_.training.data = {};
  options_.targets_ms = {1000};
  options_.training.train.batch_size = 10;
  options_.training.train.augment.trivial_augment = true;
  options_.training.train.augment.mixup = 0.2;
  std::string data_line;
  const RunResult result = run(options_, open(), [&](const Progress& p) {
    if (p.stage == "data") data_line = p.message;
  });
  EXPECT_EQ(
      data_line.find("photos: 30 training, 3 validation and 3 test images of 3 classes, 32x32, "
                     "1 unreadable files skipped; space mbv3_28 of"),
      0U)
      << data_line;
  ASSERT_EQ(result.targets.size(), 1U);
  EXPECT_TRUE(result.targets[0].feasible);
  EXPECT_EQ(result.dataset, "photos");
}

TEST_F(PipelineTest, GoesFromImagesToNetsAndIsNotDoneTwice) {
  const RunResult result = run_once();
  EXPECT_EQ(stages_, (std::set<std::string>{"accuracy", "latency", "search", "train", "verify"}));
  ASSERT_EQ(result.targets.size(), 2U);
  const TargetResult& low = result.targets[0];
  EXPECT_FALSE(low.feasible);
  EXPECT_EQ(low.target_ms, 1e-6);
  EXPECT_GT(low.minimum_ms, 1e-6);
  const TargetResult& high = result.targets[1];
  EXPECT_TRUE(high.feasible);
  EXPECT_TRUE(high.within_target);
  EXPECT_GT(high.measured_ms, 0);
  EXPECT_GT(high.measured_p90_ms, 0);  // of other sessions: a busy machine may put it below
  EXPECT_GT(high.macs, 0);
  EXPECT_GE(high.test_accuracy, 0);
  EXPECT_LE(high.test_accuracy, 1);

  for (const char* name :
       {"config.toml", "latency.json", "latency_samples.jsonl", "metrics.jsonl",
        "checkpoint/supernet.safetensors", "accuracy_samples.jsonl", "accuracy.safetensors",
        "nets/1000ms/arch.json", "nets/1000ms/weights.safetensors", "nets/1000ms/model.onnx",
        "nets/1000ms/model.pt", "result.json"}) {
    ASSERT_TRUE(std::filesystem::exists(out(name))) << name;
    EXPECT_GT(std::filesystem::file_size(out(name)), 0U) << name;
  }
  const nlohmann::json file = read_json(out("result.json"));
  EXPECT_EQ(file, nlohmann::json(to_json(result)));
  const nlohmann::json& answer = file.at("targets").at(1);
  for (const char* key :
       {"target_ms", "predicted_ms", "measured_ms", "measured_p90_ms", "within_target",
        "predicted_accuracy", "test_accuracy", "macs", "params", "arch", "dir"}) {
    EXPECT_TRUE(answer.contains(key)) << key;
  }
  EXPECT_EQ(file.at("targets").at(0).at("feasible"), false);
  EXPECT_GT(file.at("targets").at(0).at("minimum_ms"), 0);

  const auto metrics = JsonLines(out("metrics.jsonl")).read();
  ASSERT_EQ(metrics.size(), 2U);  // epochs
  EXPECT_GT(metrics.back().at("images_per_s"), 0);
  EXPECT_EQ(JsonLines(out("accuracy_samples.jsonl")).read().size(), 11U);  // and their conditions

  // Once more: everything is there, and the answer is the same.
  const std::string checkpoint = read_file(out("checkpoint/supernet.safetensors"));
  const RunResult again = run_once();
  EXPECT_EQ(stages_, (std::set<std::string>{"search", "verify"}));
  ASSERT_EQ(again.targets.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(nlohmann::json(to_json(again.targets[i])),
              nlohmann::json(to_json(result.targets[i])));
  }
  EXPECT_EQ(read_file(out("checkpoint/supernet.safetensors")), checkpoint);
}

TEST_F(PipelineTest, SpreadsTargetsOverTheReachableRange) {
  options_.targets_ms.clear();
  options_.num_targets = 3;
  options_.training.method.epochs = 0.2;
  const RunResult result = run_once();
  ASSERT_EQ(result.targets.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const TargetResult& target = result.targets[i];
    EXPECT_TRUE(target.feasible);
    EXPECT_LE(target.predicted_ms, target.target_ms);
    EXPECT_NEAR(target.target_ms * 1000, std::round(target.target_ms * 1000), 1e-9);
    EXPECT_LE(target.dir.size(), std::string("nets/12.345ms").size()) << target.dir;
    if (i > 0) {
      EXPECT_GT(target.target_ms, result.targets[i - 1].target_ms);
    }
  }
}

TEST_F(PipelineTest, SpendsABudgetOnNetsForItsTargets) {
  options_.targets_ms.clear();
  options_.num_targets = 3;
  options_.budget_s = 20;  // a busy machine measures for some seconds
  std::vector<std::string> plan;
  const auto run_within = [&] {
    return run(options_, open(), [&](const Progress& p) {
      if (p.stage == "plan") plan.push_back(p.message);
    });
  };
  RunResult result;
  try {
    result = run_within();
  } catch (const Error& error) {  // the build is a slow one: what it needs is said
    std::smatch least;
    const std::string text = error.what();
    ASSERT_TRUE(std::regex_search(text, least, std::regex("anything here is ([0-9]+)s"))) << text;
    options_.budget_s = 1.2 * std::stod(least[1]);
    result = run_within();
  }
  EXPECT_GE(plan.size(), 3U);
  ASSERT_EQ(result.targets.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(std::filesystem::exists(out(result.targets[i].dir + "/model.pt")));
    EXPECT_EQ(read_json(out(result.targets[i].dir + "/arch.json")).at("space"), "mbv3_28");
    if (i > 0) {
      EXPECT_GE(result.targets[i].validation_accuracy, result.targets[i - 1].validation_accuracy);
    }
  }
  // It is a run like others: opened, and gone on with without doing anything again.
  const Trained trained = open_trained(temporary_ / "out");
  EXPECT_GT(trained.space->log10_num_nets(), 0.0);
  EXPECT_EQ(trained.space->to_json(trained.space->largest()).at("space"), "mbv3_28");
  const std::string checkpoint = read_file(out("checkpoint/supernet.safetensors"));
  const RunResult again = run_once();
  EXPECT_EQ(read_file(out("checkpoint/supernet.safetensors")), checkpoint);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(nlohmann::json(to_json(again.targets[i])),
              nlohmann::json(to_json(result.targets[i])));
  }
}

TEST_F(PipelineTest, NamesTheLeastBudgetThatWorks) {
  options_.budget_s = 0.1;
  const std::string text = text_thrown<Error>([&] { run_once(); });
  EXPECT_EQ(text.rfind("--budget 0s is too short: measuring took ", 0), 0U) << text;
  EXPECT_NE(text.find("the least that trains and hands over anything here is "), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(out("plan.json")));
}

TEST_F(PipelineTest, TrainsTheNetOfASpaceThatHasOne) {
  const std::string file = (temporary_ / "one.json").string();
  space::MobileSpec spec = testing::tiny_mobile();
  spec.task = {.in_channels = 1, .num_classes = 10, .input_size = testing::kSyntheticSide};
  spec.resolutions.clear();
  for (space::MobileStage& stage : spec.stages) {
    stage.depths = {1};
    stage.kernels = {3};
    stage.expansions = {2};
  }
  write_json(file, space::to_json(spec));
  options_.training.space = file;
  options_.targets_ms = {1000, 2000};
  options_.training.method.epochs = 15;
  const RunResult result = run_once();
  ASSERT_EQ(result.targets.size(), 2U);
  EXPECT_EQ(result.targets[0].trained, "alone");
  EXPECT_EQ(result.targets[1].same_as_ms, 1000);
  EXPECT_GT(result.targets[0].test_accuracy, 0.2);
}

TEST_F(PipelineTest, TrainsOneNetWhereTargetsAreNextToEachOther) {
  options_.targets_ms = {1000, 1000.001};
  options_.sample_targets = true;
  const RunResult result = run_once();
  ASSERT_EQ(result.targets.size(), 2U);
  EXPECT_EQ(result.targets[0].trained, "alone");
  EXPECT_EQ(result.targets[1].same_as_ms, 1000);
}

TEST_F(PipelineTest, TrainsOnlyNetsForItsTargetsIfAsked) {
  options_.targets_ms.clear();
  options_.num_targets = 2;
  options_.sample_targets = true;
  options_.training.method.name = "bignas";
  options_.fine_tune_epochs = 0.5;
  const RunResult result = run_once();
  EXPECT_TRUE(stages_.contains("fine-tune"));
  const Trained trained = open_trained(temporary_ / "out");
  EXPECT_EQ(trained.method, "bignas");
  EXPECT_TRUE(read_json(out("train.json")).contains("within"));
  ASSERT_EQ(result.targets.size(), 2U);
}

TEST_F(PipelineTest, CarriesAWidthSearch) {
  options_.training.space = "mobilenet_v1_widths_x0.1";
  options_.training.method.name = "aows";
  options_.training.method.random_subnets = 1;
  options_.training.method.epochs = 4;
  options_.targets_ms = {1000, 2000};
  options_.from_scratch_epochs = 0.5;
  const RunResult result = run_once();
  EXPECT_EQ(stages_,
            (std::set<std::string>{"accuracy", "from scratch", "latency", "train", "verify"}))
      << "the front is exact: no evolution";
  ASSERT_EQ(result.targets.size(), 2U);
  EXPECT_EQ(result.accuracy_samples, 10);
  EXPECT_GT(result.search_evaluations, 0);
  for (const char* name : {"scores.json", "accuracy.json", "from_scratch"}) {
    EXPECT_TRUE(std::filesystem::exists(out(name))) << name;
  }
  const std::string scores = read_file(out("scores.json"));
  run_once();
  EXPECT_EQ(stages_, (std::set<std::string>{"verify"})) << "nothing is done twice";
  EXPECT_EQ(read_file(out("scores.json")), scores);
}

TEST_F(PipelineTest, IsAskedAgainWithoutTraining) {
  options_.targets_ms = {1000};
  options_.training.method.epochs = 0.4;
  const RunResult first = run_once();
  const std::string checkpoint = read_file(out("checkpoint/supernet.safetensors"));

  SpecializeOptions asked = options_;
  asked.targets_ms = {1e-6, 500, 2000};
  const RunFolder folder = RunFolder::open(temporary_ / "again", "[specialize]\n", true);
  std::set<std::string> stages;
  const auto ask = [&] {
    stages.clear();
    return specialize(temporary_ / "out", {}, 1, "cpu", asked, folder, [&](const Progress& p) {
      if (p.total > 0) stages.insert(p.stage);
    });
  };
  const RunResult again = ask();
  EXPECT_EQ(stages, (std::set<std::string>{"accuracy", "latency", "search", "verify"}));
  EXPECT_EQ(read_file(out("checkpoint/supernet.safetensors")), checkpoint);
  EXPECT_FALSE(std::filesystem::exists(folder.accuracy_predictor())) << "the run's own is taken";
  ASSERT_EQ(again.targets.size(), 3U);
  EXPECT_FALSE(again.targets[0].feasible);
  EXPECT_TRUE(again.targets[1].within_target);
  EXPECT_TRUE(std::filesystem::exists(folder.root() / again.targets[2].dir / "model.onnx"));
  EXPECT_EQ(again.accuracy_kendall, first.accuracy_kendall);
  EXPECT_EQ(read_json(folder.result()), nlohmann::json(to_json(again)));
  // Where it was asked before, the answer is there.
  const RunResult once_more = ask();
  EXPECT_EQ(stages, (std::set<std::string>{"search", "verify"}));
  EXPECT_EQ(nlohmann::json(to_json(once_more.targets[1])),
            nlohmann::json(to_json(again.targets[1])));
}

TEST_F(PipelineTest, OtherTargetsAreAddedToWhatItHas) {
  for (const std::string sample : {"uniform", "targets"}) {
    std::filesystem::remove_all(temporary_ / "out");
    options_.targets_ms = {1000};
    options_.training.method.name = sample == "targets" ? "bignas" : "deps";
    options_.training.method.epochs = 0.4;
    options_.sample_targets = sample == "targets";
    const RunResult first = run_once();
    options_.targets_ms = {1e-6, 2000};
    const RunResult more = run_once();
    EXPECT_FALSE(stages_.contains("train")) << sample;
    EXPECT_FALSE(stages_.contains("latency")) << sample;
    ASSERT_EQ(more.targets.size(), 3U);
    EXPECT_EQ(more.targets[0].target_ms, 1e-6);
    EXPECT_EQ(nlohmann::json(to_json(more.targets[1])), nlohmann::json(to_json(first.targets[0])));
    EXPECT_EQ(more.targets[2].target_ms, 2000);
    EXPECT_TRUE(std::filesystem::exists(out("nets/2000ms/model.pt")));
  }
}

TEST_F(PipelineTest, SaysWhatItWouldTakeAndEnds) {
  options_.dry_run = true;
  std::vector<std::string> said;
  const RunResult result =
      run(options_, open(), [&](const Progress& p) { said.push_back(p.message); });
  ASSERT_EQ(result.targets.size(), 1U);
  EXPECT_FALSE(result.targets[0].feasible);
  EXPECT_EQ(said[said.size() - 2], "1 of 2 targets can be met");
  EXPECT_EQ(said.back().rfind("2 epochs take about ", 0), 0U) << said.back();
  EXPECT_TRUE(std::filesystem::exists(out("latency.json")));
  EXPECT_FALSE(std::filesystem::exists(out("train.json")));
  EXPECT_FALSE(std::filesystem::exists(out("result.json")));
}

TEST_F(PipelineTest, CantBeAskedBeforeItHasTrained) {
  const RunFolder folder = RunFolder::open(temporary_ / "again", "[specialize]\n", true);
  std::filesystem::create_directories(temporary_ / "out");
  EXPECT_EQ(text_thrown<Error>([&] {
              specialize(temporary_ / "out", {}, 1, "cpu", options_, folder,
                         [](const Progress&) {});
            }),
            (temporary_ / "out").string() +
                ": has no trained weights: expected train.json and a checkpoint, as lathe train "
                "and lathe run leave them");
}

TEST_F(PipelineTest, RefusesTargetsThatAreNone) {
  for (const double target : {0.0, -3.0, std::nan(""), HUGE_VAL}) {
    options_.targets_ms = {1, target};
    EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
                run_once();
              }).rfind("[run::ask] targets must be > 0 ms, got ", 0),
              0U);
  }
  options_.targets_ms.clear();
  options_.num_targets = 0;
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { run_once(); }),
            "[run::ask] num_targets must be >= 1, got 0");
}

TEST_F(PipelineTest, FindsBadInputBeforeAnythingIsMeasured) {
  options_.training.train.batch_size = 501;
  EXPECT_NE(text_thrown<std::invalid_argument>([&] { run_once(); }).find("make no step"),
            std::string::npos);
  options_.training.data.validation_size = 600;
  EXPECT_NE(text_thrown<Error>([&] { run_once(); })
                .find("expected more than 600 training images, the size of the validation split, "
                      "got 600"),
            std::string::npos);
  options_.training.dataset = "fashion-minst";
  EXPECT_EQ(text_thrown<Error>([&] { run_once(); }),
            "unknown data set \"fashion-minst\": did you mean \"fashion-mnist\"?");
  EXPECT_TRUE(stages_.empty());
}

TEST_F(PipelineTest, RefusesASpaceWithoutASupernet) {
  options_.training.space = "darts_c4_l3";
  EXPECT_EQ(text_thrown<Error>([&] { run_once(); }),
            "space darts_c4_l3 has no supernet: its nets don't share weights by slicing; choose "
            "another --space, or train one net (--method plain)");
}

TEST_F(PipelineTest, RefusesAnUnknownSpace) {
  options_.training.space = "mbv3_29";
  const std::string text = text_thrown<Error>([&] { run_once(); });
  EXPECT_EQ(text.rfind("unknown space \"mbv3_29\": did you mean ", 0), 0U) << text;
  EXPECT_NE(text.find("mbv3_28"), std::string::npos);
}

TEST_F(PipelineTest, KeepsTheFileOfItsSpaceAndRefusesAChangedOne) {
  const std::string file = (temporary_ / "mine.json").string();
  space::MobileSpec spec = testing::tiny_mobile();
  write_json(file, space::to_json(spec));
  options_.training.space = file;
  options_.training.method.epochs = 0.2;
  const RunResult result = run_once();
  const auto arch = read_json(out("nets/1000ms/arch.json"));
  EXPECT_EQ(arch.at("space"), space::fingerprinted_name(spec));
  EXPECT_EQ(read_json(out("space.json")), nlohmann::json(space::to_json(spec)));

  spec.stages[0].channels = 24;
  write_json(file, space::to_json(spec));
  EXPECT_EQ(text_thrown<Error>([&] { run_once(); }),
            file + ": has changed: expected " + arch.at("space").get<std::string>() +
                ", the space that the run in " + (temporary_ / "out").string() +
                " began with, got " + space::fingerprinted_name(spec) +
                "; restore it or use another --out");
  std::filesystem::remove(file);
  EXPECT_EQ(nlohmann::json(run_once().targets.at(1).arch),
            nlohmann::json(result.targets.at(1).arch));
}

}  // namespace
}  // namespace lathe::run
