// Runs and their targets: limits beside latency, targets that were not trained for.
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/models/linear_model.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/run/answers/answers.h"
#include "lathe/run/specialize.h"
#include "lathe/space/space_file.h"
#include "run/pipeline_fixture.h"
#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

TEST(Ask, BelievesNoModelThatNetsTakeNothing) {
  const auto space = lathe::testing::stage_space();
  latency::LinearCosts costs{.bias_ms = -5};  // of noise
  costs.weights_ms.assign(static_cast<std::size_t>(space->encoding_size()), 0.5);
  const latency::LinearModel model(*space, costs);
  ASSERT_LT(model.predict_ms(space->smallest()), 0);
  const DeviceNoise noise{.sentinels = {{space->smallest(), {0.9, 0.8, 1.0}}}};
  const TemporaryFolder temporary;
  SpecializeOptions options;
  options.targets_ms = {1e-6, 0.2, 0.3};
  const Asked asked = ask(options, *space, model, noise, lathe::testing::open_folder(temporary),
                          [](const auto&) {});
  EXPECT_EQ(asked.feasible_ms, std::vector<double>{0.3});
  ASSERT_EQ(asked.infeasible.size(), 2U);
  EXPECT_DOUBLE_EQ(asked.infeasible[0].minimum_ms, 0.25 * 0.9);
}

TEST_F(PipelineTest, KeepsOtherLimitsThanLatency) {
  options_.targets_ms = {1000};
  options_.training.method.epochs = 0.4;
  run_once();
  const auto space = open_trained(temporary_ / "out").space;
  const double least = static_cast<double>(graph::params(space->graph(space->smallest())));
  const double most = static_cast<double>(graph::params(space->graph(space->largest())));
  const auto within = [&](double params, const std::string& name) {
    SpecializeOptions asked = options_;
    asked.limits = [params](const space::Space&) {
      return search::Constraints{.max_params = params};
    };
    const RunFolder folder = RunFolder::open(temporary_ / name, "[specialize]\n", true);
    return specialize(temporary_ / "out", {}, 1, "cpu", asked, folder, [](const Progress&) {})
        .targets;
  };
  const auto small = within(0.5 * (least + most), "small");
  ASSERT_EQ(small.size(), 1U);
  EXPECT_TRUE(small[0].feasible);
  EXPECT_LE(static_cast<double>(small[0].params), 0.5 * (least + most));
  const auto none = within(0.5 * least, "none");
  ASSERT_EQ(none.size(), 1U);
  EXPECT_FALSE(none[0].feasible) << "no net is so small";
}

TEST_F(PipelineTest, SpendsABudgetWithinOtherLimits) {
  options_.targets_ms.clear();
  options_.num_targets = 3;
  options_.budget_s = 20;
  double most = 0;
  options_.limits = [&](const space::Space& space) {
    most = 0.5 * static_cast<double>(graph::macs(space.graph(space.smallest())) +
                                     graph::macs(space.graph(space.largest())));
    return search::Constraints{.max_macs = most};
  };
  const RunResult result = run_once();
  ASSERT_EQ(result.targets.size(), 3U);
  for (const TargetResult& target : result.targets) {
    EXPECT_TRUE(target.feasible);
    EXPECT_LE(static_cast<double>(target.macs), most);
  }
  const Trained trained = open_trained(temporary_ / "out");
  const graph::Graph largest =
      trained.space->graph(trained.arch ? *trained.arch : trained.space->largest());
  EXPECT_LE(static_cast<double>(graph::macs(largest)), most) << "trained what is no answer";
}

TEST_F(PipelineTest, TrainsNothingWhereNoNetIsWithinTheLimits) {
  options_.targets_ms.clear();
  options_.num_targets = 2;
  options_.budget_s = 20;
  options_.limits = [](const space::Space&) { return search::Constraints{.max_params = 10}; };
  std::string said;
  const RunResult result = run(options_, open(), [&](const Progress& p) { said += p.message; });
  ASSERT_EQ(result.targets.size(), 2U);
  EXPECT_FALSE(result.targets[0].feasible);
  EXPECT_TRUE(std::isinf(result.targets[0].minimum_ms));
  EXPECT_NE(said.find("no net is within the limits: the smallest has 0.0"), std::string::npos)
      << said;
  EXPECT_NE(said.find(" M parameters (--max-params is 1e-05)"), std::string::npos) << said;
  EXPECT_FALSE(std::filesystem::exists(out("train.json")));
}

TEST_F(PipelineTest, IsAskedForTargetsBesideThoseItTrainedFor) {
  options_.targets_ms.clear();
  options_.num_targets = 2;
  options_.sample_targets = true;
  options_.training.method.name = "bignas";
  options_.training.method.epochs = 0.4;
  run_once();
  SpecializeOptions asked = options_;
  asked.targets_ms = {1000};
  const RunFolder folder = RunFolder::open(temporary_ / "again", "[specialize]\n", true);
  std::vector<std::string> said;
  const RunResult again =
      specialize(temporary_ / "out", {}, 1, "cpu", asked, folder, [&](const Progress& p) {
        if (p.stage == "train") said.push_back(p.message);
      });
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(said[0].rfind("trained for other targets: of the space's nets, which take ", 0), 0U)
      << said[0];
  ASSERT_EQ(again.targets.size(), 1U);
  EXPECT_EQ(again.targets[0].arch.at("space"), "mbv3_28");
}

TEST_F(PipelineTest, IsAskedForTargetsOfTheOneNetThatItTrained) {
  measure_only();
  const auto whole = space::open_space("mbv3_28", {.input_size = testing::kSyntheticSide});
  const auto model = latency::load_latency_model(*whole, out("latency.json"));
  const double ms = model->predict_ms(whole->largest());
  TrainJob job = options_.training;
  job.method.name = "plain";  // of the largest net
  job.method.epochs = 0.4;
  const RunFolder alone = RunFolder::open(temporary_ / "alone", "[train]\n", true);
  Trained trained = prepare_training(job, alone, [](const Progress&) {});
  train_stage(trained, job, alone, [](const Progress&) {});
  SpecializeOptions asked = options_;
  asked.latency.model = out("latency.json");
  const double least = model->predict_ms(whole->smallest());
  asked.targets_ms = {0.5 * (least + ms), 1000};
  const RunFolder folder = RunFolder::open(temporary_ / "again", "[specialize]\n", true);
  std::vector<std::string> said;
  const RunResult again =
      specialize(temporary_ / "alone", {}, 1, "cpu", asked, folder, [&](const Progress& p) {
        if (p.stage == "train") said.push_back(p.message);
      });
  ASSERT_EQ(again.targets.size(), 2U);
  EXPECT_FALSE(again.targets[0].feasible) << "other nets of the space are fast enough";
  EXPECT_DOUBLE_EQ(again.targets[0].minimum_ms, ms);
  EXPECT_TRUE(again.targets[1].feasible);
  EXPECT_EQ(whole->from_json(again.targets[1].arch, "arch"), whole->largest());
  asked.targets_ms.clear();
  const RunFolder by_number = RunFolder::open(temporary_ / "by_number", "[specialize]\n", true);
  asked.dry_run = true;
  std::string told;
  specialize(temporary_ / "alone", {}, 1, "cpu", asked, by_number,
             [&](const Progress& p) { told += p.message + "\n"; });
  EXPECT_NE(told.find("1 of 1 targets can be met"), std::string::npos) << told;
  ASSERT_EQ(said.size(), 3U);
  EXPECT_NE(said[0].find(" ms here, one alone"), std::string::npos) << said[0];
  EXPECT_NE(said[1].find(": no net was trained for it: those trained take "), std::string::npos)
      << said[1];
  EXPECT_NE(said[1].find("the smallest trained net's"), std::string::npos) << said[1];
  EXPECT_NE(said[2].find("lathe train --method plain"), std::string::npos) << said[2];
}

/// A run that trains a part of its space.
class PipelineOfAPart : public PipelineTest {
 protected:
  /// For targets at these shares of the range of latencies.
  void run_between(double low_share, double high_share) {
    measure_only();
    const auto model = latency::load_latency_model(*whole, out("latency.json"));
    low = model->predict_ms(whole->smallest());
    high = model->predict_ms(whole->largest());
    options_.targets_ms = {low + low_share * (high - low), low + high_share * (high - low)};
    options_.sample_targets = true;
    options_.training.method.name = "bignas";
    options_.training.method.epochs = 1;
    run_once();
  }

  const std::shared_ptr<const space::Space> whole =
      space::open_space("mbv3_28", {.input_size = testing::kSyntheticSide});
  double low = 0, high = 0;  ///< ms that are predicted of its smallest and its largest net
};

TEST_F(PipelineOfAPart, LeavesNetsThatCanBeTrainedOn) {
  run_between(0.3, 0.5);
  const nlohmann::json within = read_json(out("train.json")).at("within");
  TrainJob job = options_.training;
  job.method.name = "plain";
  job.from = temporary_ / "out";
  job.arch_file = temporary_ / "arch.json";
  const auto go_on = [&](const std::string& folder, const nlohmann::json& arch) {
    write_json(job.arch_file, arch);
    const RunFolder alone = RunFolder::open(temporary_ / folder, "[train]\n", true);
    Trained trained = prepare_training(job, alone, [](const Progress&) {});
    train_stage(trained, job, alone, [](const Progress&) {});
  };
  go_on("alone", within.at("highest"));
  EXPECT_TRUE(std::filesystem::exists(temporary_ / "alone/checkpoint"));
  const std::string refused =
      testing::text_thrown<Error>([&] { go_on("none", whole->to_json(whole->largest())); });
  EXPECT_EQ(refused.rfind((temporary_ / "out").string() + ": is not among the nets that were", 0),
            0U)
      << refused;
}

TEST_F(PipelineOfAPart, SaysHowFarATargetIsFromWhatWasTrained) {
  run_between(0.2, 0.5);
  SpecializeOptions asked = options_;
  asked.dry_run = true;
  asked.latency.model = out("latency.json");
  asked.targets_ms = {low + 0.4 * (high - low), 2 * high};
  const RunFolder folder = RunFolder::open(temporary_ / "again", "[specialize]\n", true);
  std::vector<std::string> said;
  specialize(temporary_ / "out", {}, 1, "cpu", asked, folder, [&](const Progress& p) {
    if (p.stage == "train") said.push_back(p.message);
  });
  ASSERT_EQ(said.size(), 3U) << "one target is among those trained for";
  const std::string name = target_name(2 * high);
  EXPECT_EQ(said[1].rfind("target " + name + ": no net was trained for it: those trained take ", 0),
            0U)
      << said[1];
  char guess[64];
  std::snprintf(guess, sizeof guess, "the best guess has %.2f MMACs, ",
                static_cast<double>(graph::macs(whole->graph(whole->largest()))) / 1e6);
  EXPECT_NE(said[1].find(guess), std::string::npos) << said[1];
  EXPECT_NE(said[1].find("times the largest trained net's"), std::string::npos) << said[1];
  const std::filesystem::path arch = temporary_ / "again/beyond" / (name + ".json");
  EXPECT_EQ(whole->from_json(read_json(arch), "arch"), whole->largest());
  EXPECT_NE(said[2].find(" trained alone for the run's 1 epochs takes about "), std::string::npos)
      << said[2];
  EXPECT_NE(said[2].find("lathe train --method plain --space mbv3_28 --arch " + arch.string()),
            std::string::npos)
      << said[2];
}

}  // namespace
}  // namespace lathe::run
