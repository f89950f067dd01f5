#include "lathe/run/hand_over.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/tensor_map.h"
#include "lathe/graph/counts.h"
#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

using lathe::testing::open_folder;
using lathe::testing::ScriptedRunner;
using lathe::testing::stage_space;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using search::Candidate;

class HandOverTest : public ::testing::Test {
 protected:
  /// Hands over for the target on a device that measures `script_ms`, in this order.
  TargetResult hand_over_measured(const std::vector<double>& script_ms,
                                  const search::TargetResult& target,
                                  const std::vector<Candidate>& front = {}) {
    ScriptedRunner runner(script_ms, 1000.0);
    const Workshop shop{supernet_, *space_,  dataset_, evaluator_,
                        runner,    options_, folder_,  progress_};
    TargetResult result = hand_over(shop, target, front);
    timings_ = runner.timings();
    return result;
  }

  /// A target of 1 ms and one candidate for each predicted latency, best first; all distinct.
  search::TargetResult one_ms(const std::vector<double>& predicted_ms) {
    search::TargetResult target{.target_ms = 1.0, .feasible = true, .minimum_ms = 0.1};
    for (const double ms : predicted_ms) {
      target.candidates.push_back(candidate(ms, 0.9 - 0.01 * target.candidates.size()));
    }
    return target;
  }

  Candidate candidate(double predicted_ms, double accuracy) {
    Rng rng(static_cast<std::uint64_t>(1000 * predicted_ms));
    return {space_->sample(rng), predicted_ms, accuracy};
  }

  std::filesystem::path net_folder() const { return folder_.net("1ms"); }

  TemporaryFolder temporary_;
  RunFolder folder_ = open_folder(temporary_);
  std::shared_ptr<const space::Space> space_ = stage_space();
  data::Dataset dataset_ = testing::synthetic_dataset(100, 40, 50);
  train::Evaluator evaluator_{dataset_, {.calibration_images = 50, .batch_size = 25}};
  nn::Supernet supernet_{space_, {.seed = 1}};
  RunOptions options_;
  std::vector<std::string> notes_;
  ProgressFn progress_ = [this](const Progress& p) { notes_.push_back(p.message); };
  std::size_t timings_ = 0;  ///< of the last hand_over_measured()
};

TEST_F(HandOverTest, TakesTheBestCandidateIfItHolds) {
  const search::TargetResult target = one_ms({0.95, 0.9});
  const TargetResult result = hand_over_measured({0.98}, target);
  EXPECT_EQ(timings_, 1U);
  EXPECT_TRUE(result.feasible);
  EXPECT_TRUE(result.within_target);
  EXPECT_EQ(result.predicted_ms, 0.95);
  EXPECT_EQ(result.measured_ms, 0.98);
  EXPECT_EQ(result.measured_p90_ms, 1.25 * 0.98);
  EXPECT_EQ(result.predicted_accuracy, 0.9);
  EXPECT_TRUE(result.replaced_ms.empty());
  EXPECT_EQ(result.dir, "nets/1ms");
  EXPECT_EQ(result.arch, space_->to_json(target.candidates[0].arch));
  const graph::Graph graph = space_->graph(target.candidates[0].arch);
  EXPECT_EQ(result.macs, graph::macs(graph));
  EXPECT_EQ(result.params, graph::params(graph));
  EXPECT_TRUE(notes_.empty());
}

TEST_F(HandOverTest, WritesTheNetItMeasured) {
  const search::TargetResult target = one_ms({0.95});
  const TargetResult result = hand_over_measured({0.98}, target);
  for (const char* name :
       {"arch.json", "weights.safetensors", "model.onnx", "model.pt", "target.json"}) {
    EXPECT_GT(std::filesystem::file_size(net_folder() / name), 0U) << name;
  }
  const space::Arch arch = space_->from_json(read_json(net_folder() / "arch.json"), "arch.json");
  EXPECT_EQ(arch, target.candidates[0].arch);
  // The file's weights give the test accuracy that the table states.
  const SafetensorsFile file = load_safetensors(net_folder() / "weights.safetensors");
  EXPECT_EQ(file.metadata.at("space"), "tiny_stage");
  const graph::Net net{space_->graph(arch), file.tensors};
  EXPECT_EQ(evaluator_.top1(nn::Executor(net.graph), nn::bind(net), dataset_.test),
            result.test_accuracy);
}

TEST_F(HandOverTest, ReplacesCandidatesUntilOneHolds) {
  const TargetResult result =
      hand_over_measured({1.02, 1.01, 0.97}, one_ms({0.99, 0.96, 0.9, 0.5}));
  EXPECT_EQ(timings_, 3U);
  EXPECT_TRUE(result.within_target);
  EXPECT_EQ(result.predicted_ms, 0.9);
  EXPECT_EQ(result.measured_ms, 0.97);
  EXPECT_EQ(result.replaced_ms, (std::vector<double>{1.02, 1.01}));
  ASSERT_EQ(notes_.size(), 2U);
  EXPECT_EQ(notes_[0], "target 1.000 ms: a candidate predicted at 0.990 ms measured 1.020 ms");
}

TEST_F(HandOverTest, PassesOverThoseThatTheSameErrorPutsAboveTheTarget) {
  // 0.99 measured as 1.1: what is predicted above 0.9 is not worth a try.
  const TargetResult result =
      hand_over_measured({1.1, 0.99}, one_ms({0.99, 0.98, 0.95, 0.91, 0.89, 0.5}));
  EXPECT_EQ(timings_, 2U);
  EXPECT_EQ(result.predicted_ms, 0.89);
  EXPECT_EQ(result.replaced_ms, std::vector<double>{1.1});
}

TEST_F(HandOverTest, FindsFasterOnesOnTheFront) {
  const std::vector<Candidate> front{candidate(2.0, 0.99), candidate(0.7, 0.7),
                                     candidate(0.3, 0.3)};
  const TargetResult result = hand_over_measured({1.3, 0.95}, one_ms({0.99, 0.98}), front);
  EXPECT_EQ(result.predicted_ms, 0.7);
  EXPECT_TRUE(result.within_target);
}

TEST_F(HandOverTest, TriesTheFastestLastWhenAllAreGuessedTooSlow) {
  // After the first, none is predicted below 1 / 1.5.
  const TargetResult result = hand_over_measured({1.5, 0.99}, one_ms({0.99, 0.98, 0.9, 0.95}));
  EXPECT_EQ(timings_, 2U);
  EXPECT_EQ(result.predicted_ms, 0.9);
  EXPECT_TRUE(result.within_target);
}

TEST_F(HandOverTest, HandsOverTheFastestMeasuredIfNoneHolds) {
  const TargetResult result = hand_over_measured({1.5, 1.2, 1.3}, one_ms({0.99, 0.6, 0.5}));
  EXPECT_EQ(timings_, 3U);
  EXPECT_FALSE(result.within_target);
  EXPECT_EQ(result.measured_ms, 1.2);
  EXPECT_EQ(result.predicted_ms, 0.6);
  EXPECT_EQ(result.replaced_ms, (std::vector<double>{1.5, 1.3}));  // not its own
  EXPECT_TRUE(std::filesystem::exists(net_folder() / "model.onnx"));
}

TEST_F(HandOverTest, GivesUpAfterSoManyAttempts) {
  options_.winner_attempts = 2;
  const TargetResult result = hand_over_measured({1.01, 1.02, 0.5}, one_ms({0.99, 0.9, 0.8, 0.7}));
  EXPECT_EQ(timings_, 2U);
  EXPECT_FALSE(result.within_target);
  EXPECT_EQ(result.measured_ms, 1.01);
}

TEST_F(HandOverTest, PassesOnAnInfeasibleTarget) {
  const TargetResult result =
      hand_over_measured({}, {.target_ms = 0.05, .feasible = false, .minimum_ms = 0.2});
  EXPECT_EQ(timings_, 0U);
  EXPECT_FALSE(result.feasible);
  EXPECT_EQ(result.target_ms, 0.05);
  EXPECT_EQ(result.minimum_ms, 0.2);
  EXPECT_FALSE(std::filesystem::exists(folder_.root() / "nets"));
}

TEST_F(HandOverTest, TakesAFinishedFolderAsItIs) {
  const TargetResult first = hand_over_measured({0.98}, one_ms({0.95}));
  const TargetResult again = hand_over_measured({0.5}, one_ms({0.9}));
  EXPECT_EQ(timings_, 0U);
  EXPECT_EQ(nlohmann::json(to_json(again)), nlohmann::json(to_json(first)));
  // Without its last file it was not finished.
  std::filesystem::remove(net_folder() / "target.json");
  EXPECT_EQ(hand_over_measured({0.5}, one_ms({0.9})).measured_ms, 0.5);
}

TEST_F(HandOverTest, RefusesADamagedTargetFile) {
  hand_over_measured({0.98}, one_ms({0.95}));
  write_file_atomic(net_folder() / "target.json", "{\"target_ms\": 1.0}");
  EXPECT_EQ(text_thrown<Error>([&] { hand_over_measured({}, one_ms({0.95})); }),
            (net_folder() / "target.json").string() +
                ": \"feasible\": expected true or false, got nothing");
}

TEST(TargetNameTest, IsTheTargetAsItIsTyped) {
  EXPECT_EQ(target_name(0.75), "0.75ms");
  EXPECT_EQ(target_name(2), "2ms");
  EXPECT_EQ(target_name(0.753), "0.753ms");
  EXPECT_NE(target_name(0.7500001), target_name(0.7500002));
}

}  // namespace
}  // namespace lathe::run
