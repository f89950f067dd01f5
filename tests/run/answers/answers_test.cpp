// From candidates to nets that are handed over, on a small trained-like supernet and a device that
// takes as long as it is told.
#include "lathe/run/answers/answers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/tensor_map.h"
#include "lathe/graph/counts.h"
#include "lathe/run/answers/hand_over.h"
#include "lathe/run/answers/int8.h"
#include "lathe/run/answers/settle.h"
#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

using lathe::testing::open_folder;
using lathe::testing::ScriptedRunner;
using lathe::testing::stage_space;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using search::Candidate;

class AnswersTest : public ::testing::Test {
 protected:
  AnswersTest() {
    trained_.dataset = testing::synthetic_dataset(200, 40, 50);
    trained_.space = stage_space();
    trained_.weights = std::make_unique<nn::Supernet>(trained_.space, nn::WeightOptions{.seed = 1});
    job_.threads = 1;
    job_.train.batch_size = 20;
    options_.accuracy.validation_images = 40;
  }

  Workshop shop() { return shop_on(runner_); }
  Workshop shop_on(measure::Runner& runner) {
    return {trained_, job_, evaluator_, runner, noise_, options_, folder_, progress_};
  }

  search::TargetResult target(double ms, const std::vector<space::Arch>& archs) {
    search::TargetResult target{.target_ms = ms, .feasible = true};
    for (const space::Arch& arch : archs) {
      const double worse = 0.01 * static_cast<double>(target.candidates.size());
      target.candidates.push_back({arch, 0.9 * ms, 0.5 - worse});
    }
    return target;
  }

  std::vector<space::Arch> archs(int count, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<space::Arch> archs;
    for (int i = 0; i < count; ++i) archs.push_back(trained_.space->sample(rng));
    return archs;
  }

  double top1(const graph::Net& net, const data::ImageSet& set) {
    return evaluator_.top1(nn::Executor(net.graph), nn::bind(net), set);
  }

  TemporaryFolder temporary_;
  RunFolder folder_ = open_folder(temporary_);
  Trained trained_;
  TrainJob job_;
  SpecializeOptions options_;
  ScriptedRunner runner_{{}, 0.5};
  DeviceNoise noise_{.deviation = 0.01, .sentinels = {{stage_space()->smallest(), {0.4, 0.5}}}};
  train::Evaluator evaluator_{trained_.dataset, {.calibration_images = 50, .batch_size = 25}};
  std::vector<std::string> notes_;
  ProgressFn progress_ = [this](const Progress& p) { notes_.push_back(p.message); };
};

TEST_F(AnswersTest, ChoosesByValidationImages) {
  const auto all = archs(4, 3);
  // A predictor that knows nothing: what the validation images say decides.
  const auto found =
      find_answers(shop(), {.targets = {target(1.0, all)}}, {.predictor_rmse = 10.0});
  ASSERT_EQ(found.size(), 1U);
  double best = 0;
  for (const space::Arch& arch : all) {
    const graph::Net net = evaluator_.extract(*trained_.weights, trained_.space->graph(arch));
    best = std::max(best, top1(net, trained_.dataset.validation));
  }
  EXPECT_EQ(found[0].validation_top1, best);
  EXPECT_EQ(top1(found[0].net, trained_.dataset.validation), best);
  EXPECT_EQ(found[0].trained, "with the others");
  EXPECT_TRUE(std::filesystem::exists(folder_.candidates()));
}

TEST_F(AnswersTest, TrustsThePredictorAsFarAsItIsSure) {
  const auto all = archs(4, 3);
  const auto found =
      find_answers(shop(), {.targets = {target(1.0, all)}}, {.predictor_rmse = 1e-6});
  EXPECT_EQ(found[0].winner.candidate.arch, all[0]);
  EXPECT_NEAR(found[0].winner.candidate.predicted_accuracy, 0.5, 1e-6);
  EXPECT_FALSE(std::filesystem::exists(folder_.candidates())) << "nothing would change";
  EXPECT_EQ(notes_.front(),
            "candidates are ranked as predicted: the predictor errs by 0.00 points, far less than "
            "40 images can tell");
}

TEST_F(AnswersTest, ASlowerTargetIsNeverAnsweredWorse) {
  const auto all = archs(6, 5);
  search::SearchResult search;
  for (std::size_t i = 0; i < all.size(); ++i) {
    search.targets.push_back(target(1.0 + static_cast<double>(i), {all[i]}));
  }
  const auto found = find_answers(shop(), search, {.predictor_rmse = 0.01});
  ASSERT_EQ(found.size(), 6U);
  int same = 0;
  for (std::size_t i = 1; i < found.size(); ++i) {
    EXPECT_GE(found[i].validation_top1, found[i - 1].validation_top1);
    if (found[i].same_as_ms) {
      ++same;
      EXPECT_LT(*found[i].same_as_ms, found[i].target_ms);
      EXPECT_EQ(found[i].winner.candidate.arch, found[i - 1].winner.candidate.arch);
    }
  }
  EXPECT_GT(same, 0) << "untrained nets are in no order";
}

TEST_F(AnswersTest, ANetThatOnlyHoldsSlowerTargetsIsTheirAnswer) {
  const auto all = archs(3, 5);
  const std::vector<double> targets_ms{1.0, 1.1, 1.2, 1.3};
  const auto net = [&](std::size_t i, double validation_top1) {
    return Made{evaluator_.extract(*trained_.weights, trained_.space->graph(all[i])),
                validation_top1, "for a test"};
  };
  const std::map<space::Arch, Made> nets{
      {all[0], net(0, 0.9)}, {all[1], net(1, 0.8)}, {all[2], net(2, 0.7)}};
  // Of the first one's sessions half are above its target, a sixth above the next.
  std::vector<double> near(40, 0.99);
  for (std::size_t i = 0; i < near.size(); ++i) {
    if (i % 2 == 0) near[i] = i % 3 == 0 ? 1.15 : 1.05;
  }
  using measure::Verdict;
  const std::vector<Winner> winners{
      {{all[0], 1.0, 0.9}, Verdict::kUndecided, 0.001, near, {}},
      {{all[1], 1.0, 0.8}, Verdict::kWithin, 0.001, std::vector<double>(14, 1.0), {}},
      {{all[2], 1.0, 0.7}, Verdict::kAbove, 0.001, std::vector<double>(14, 2.0), {}},
      {{all[2], 1.0, 0.7}, Verdict::kWithin, 0.001, std::vector<double>(14, 1.2), {}}};
  ASSERT_EQ(winners[0].verdict_at(1.0), Verdict::kUndecided);
  ASSERT_EQ(winners[0].verdict_at(1.1), Verdict::kWithin);
  ASSERT_EQ(winners[2].verdict_at(1.3), Verdict::kAbove);

  const auto found = settled(winners, targets_ms, nets);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].winner.verdict, Verdict::kUndecided) << "there is nothing else";
  for (std::size_t i = 1; i < found.size(); ++i) {
    EXPECT_EQ(found[i].validation_top1, 0.9) << i;
    EXPECT_EQ(found[i].winner.candidate.arch, all[0]) << i;
    EXPECT_EQ(found[i].winner.verdict, Verdict::kWithin) << i;
    EXPECT_EQ(found[i].same_as_ms, 1.0) << i;
  }

  // Where it holds nothing faster than the third target, the second has its own.
  std::vector<Winner> slower = winners;
  for (double& ms : slower[0].judged_ms) ms += 0.1;
  ASSERT_EQ(slower[0].verdict_at(1.2), Verdict::kWithin);
  const auto later = settled(slower, targets_ms, nets);
  EXPECT_EQ(later[1].winner.candidate.arch, all[1]);
  EXPECT_FALSE(later[1].same_as_ms);
  EXPECT_EQ(later[2].winner.candidate.arch, all[0]);
  EXPECT_EQ(later[2].same_as_ms, 1.0);
}

TEST_F(AnswersTest, TrainsTheWinnersOnWhereThatIsBetter) {
  const auto all = archs(3, 7);
  const search::SearchResult search{
      .targets = {target(1.0, {all[0]}), target(2.0, {all[1]}), target(3.0, {all[2]})}};
  const AnswerOptions tuned{.predictor_rmse = 0.01,
                            .alone = {{.how = {.steps = 60, .learning_rate = 0.1, .threads = 2}}}};
  const auto plain = find_answers(shop(), search, {.predictor_rmse = 0.01});
  const auto found = find_answers(shop(), search, tuned);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_GT(found[i].validation_top1, plain[i].validation_top1);
    EXPECT_EQ(found[i].trained, "with the others, then alone");
  }
  // Again, from the checkpoints and on one thread, which the third had two of: the same nets.
  AnswerOptions alone = tuned;
  alone.alone[0].how.threads = 1;
  const auto again = find_answers(shop(), search, alone);
  std::filesystem::remove_all(folder_.root() / "fine_tune");
  const auto anew = find_answers(shop(), search, alone);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(again[i].net.weights, found[i].net.weights);
    EXPECT_EQ(anew[i].net.weights, found[i].net.weights);
  }
}

TEST_F(AnswersTest, TrainsSomeOfTheWinnersOn) {
  const std::vector<space::Arch> all = archs(4, 7);
  search::SearchResult search;
  for (std::size_t i = 0; i < all.size(); ++i) {
    search.targets.push_back(target(1.0 + static_cast<double>(i), {all[i]}));
  }
  const auto trained = [&](int at_most) {
    std::filesystem::remove_all(folder_.root() / "fine_tune");
    const FineTuneOptions how{.steps = 60, .learning_rate = 0.1};
    const auto found = find_answers(
        shop(), search, {.predictor_rmse = 0.01, .alone = {{.how = how, .at_most = at_most}}});
    EXPECT_EQ(found[0].trained, "with the others, then alone")
        << "the fastest is always among them";
    const std::filesystem::directory_iterator nets(folder_.root() / "fine_tune");
    return std::distance(begin(nets), end(nets));
  };
  EXPECT_EQ(trained(0), 4);
  EXPECT_EQ(trained(1), 1);
  EXPECT_EQ(trained(3), 3);
  EXPECT_EQ(trained(9), 4);
}

TEST_F(AnswersTest, TrainsTheWinnersFromScratchWhereThatIsBetter) {
  const search::SearchResult search{.targets = {target(1.0, archs(1, 7))}};
  const FineTuneOptions scratch{
      .steps = 80, .from_scratch = true, .learning_rate = 0.1, .warmup_steps = 8};
  const auto found =
      find_answers(shop(), search, {.predictor_rmse = 0.01, .alone = {{.how = scratch}}});
  EXPECT_EQ(found[0].trained, "alone, from scratch");
  EXPECT_TRUE(std::filesystem::exists(folder_.root() / "from_scratch"));
  // Without a step it is nothing like what it was taken from.
  const FineTuneOptions few{.steps = 1, .from_scratch = true, .learning_rate = 1e-9};
  const auto graph = trained_.space->graph(found[0].winner.candidate.arch);
  const std::vector<space::Arch> one{found[0].winner.candidate.arch};
  std::filesystem::remove_all(folder_.root() / "from_scratch");
  const auto begun = fine_tune(trained_, job_, evaluator_, one, one[0], few, folder_, progress_);
  const graph::Net taken = evaluator_.extract(*trained_.weights, graph);
  EXPECT_NE(begun[0].weights.begin()->second.values, taken.weights.begin()->second.values);
}

TEST_F(AnswersTest, WhatWasMeasuredOnceHasDecided) {
  const search::SearchResult search{.targets = {target(1.0, archs(3, 9))}};
  const auto first = find_answers(shop(), search, {.predictor_rmse = 0.01});
  const std::size_t timed = runner_.timings();
  EXPECT_EQ(timed, 2U + first[0].winner.judged_ms.size());
  const auto again = find_answers(shop(), search, {.predictor_rmse = 0.01});
  EXPECT_EQ(runner_.timings(), timed);
  EXPECT_EQ(again[0].winner.candidate, first[0].winner.candidate);
}

TEST_F(AnswersTest, OneNetIsTheAnswerToAllTargets) {
  trained_.arch = archs(1, 11)[0];
  trained_.weights = std::make_unique<nn::SharedWeights>(
      "one", trained_.space->graph(*trained_.arch), std::vector<int>{}, nn::WeightOptions{});
  const auto found = answers_of_one_net(shop(), {1.0, 2.0, 3.0}, 0.9);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_TRUE(found[0].winner.holds());
  EXPECT_FALSE(found[0].same_as_ms);
  EXPECT_EQ(found[2].same_as_ms, 1.0);
  EXPECT_EQ(found[2].trained, "alone");
}

TEST_F(AnswersTest, IsHandedOverAsItWasMadeAndMeasuredAnew) {
  const auto found =
      find_answers(shop(), {.targets = {target(1.0, archs(2, 13))}}, {.predictor_rmse = 0.01});
  ScriptedRunner runner({0.51, 0.9, 0.8}, 1000.0);
  const Workshop anew = shop_on(runner);
  const TargetResult result = hand_over(anew, found[0]);
  EXPECT_EQ(runner.timings(), 3U);
  const std::size_t judged = found[0].winner.judged_ms.size();
  ASSERT_EQ(result.session_ms.size(), judged + 3) << "those that chose it are not among them";
  EXPECT_EQ(std::vector(result.session_ms.end() - 3, result.session_ms.end()),
            (std::vector{0.51, 0.9, 0.8}));
  EXPECT_EQ(result.measured_ms, 0.5);
  EXPECT_DOUBLE_EQ(result.chance_again(), (judged + 4.0) / (judged + 5.0));
  EXPECT_TRUE(result.within_target);
  ASSERT_EQ(runner.last().size(), found[0].net.graph.size() + 1) << "not what is handed over";
  EXPECT_EQ(runner.last()[1].op, graph::Op::kShift);
  EXPECT_EQ(result.input_size, testing::kSyntheticSide);
  EXPECT_EQ(result.validation_accuracy, found[0].validation_top1);
  EXPECT_EQ(result.test_accuracy, top1(found[0].net, trained_.dataset.test));
  EXPECT_EQ(result.dir, "nets/1ms");
  EXPECT_EQ(result.macs, graph::macs(found[0].net.graph));
  for (const char* name : {"arch.json", "weights.safetensors", "model.onnx", "model.pt",
                           "certificate.json", "target.json"}) {
    EXPECT_GT(std::filesystem::file_size(folder_.net("1ms") / name), 0U) << name;
  }
  const space::Arch arch =
      trained_.space->from_json(read_json(folder_.net("1ms") / "arch.json"), "arch.json");
  const SafetensorsFile file = load_safetensors(folder_.net("1ms") / "weights.safetensors");
  const graph::Net net{trained_.space->graph(arch), file.tensors};
  EXPECT_EQ(top1(net, trained_.dataset.test), result.test_accuracy);

  // A finished folder is taken as it is; without its last file it was not finished.
  EXPECT_EQ(nlohmann::json(to_json(hand_over(anew, found[0]))), nlohmann::json(to_json(result)));
  EXPECT_EQ(runner.timings(), 3U);
  std::filesystem::remove(folder_.net("1ms") / "target.json");
  EXPECT_EQ(hand_over(anew, found[0]).verdict, measure::Verdict::kAbove);
  // One of a version whose nets took no pixels is made anew.
  nlohmann::json old = read_json(folder_.net("1ms") / "target.json");
  old.erase("input_size");
  write_json(folder_.net("1ms") / "target.json", old);
  EXPECT_EQ(hand_over(anew, found[0]).input_size, testing::kSyntheticSide);
  // Sessions so much slower than those that judged take more than three to turn the verdict.
  EXPECT_GT(runner.timings(), 9U);
  EXPECT_LE(runner.timings(), 3 + 2 * (kMostSessions - judged));
  write_file_atomic(folder_.net("1ms") / "target.json", "{\"target_ms\": 1.0}");
  EXPECT_EQ(text_thrown<Error>([&] { hand_over(anew, found[0]); }),
            (folder_.net("1ms") / "target.json").string() +
                ": \"feasible\": expected true or false, got nothing");
}

TEST_F(AnswersTest, OneNetForSeveralTargetsIsMeasuredOnce) {
  trained_.arch = archs(1, 11)[0];
  trained_.weights = std::make_unique<nn::SharedWeights>(
      "one", trained_.space->graph(*trained_.arch), std::vector<int>{}, nn::WeightOptions{});
  const auto found = answers_of_one_net(shop(), {1.0, 2.0}, 0.9);
  ScriptedRunner runner({1.5}, 1.5);
  const Workshop anew = shop_on(runner);
  const TargetResult first = hand_over(anew, found[0]);
  const TargetResult second = hand_over(anew, found[1], {first});
  EXPECT_EQ(runner.timings(), kMostSessions - found[0].winner.judged_ms.size());
  EXPECT_FALSE(first.within_target);
  EXPECT_TRUE(second.within_target);
  EXPECT_EQ(second.measured_ms, first.measured_ms);
  EXPECT_EQ(second.test_accuracy, first.test_accuracy);
  EXPECT_EQ(second.dir, "nets/2ms");
  EXPECT_TRUE(std::filesystem::exists(folder_.net("2ms") / "model.pt"));
}

TEST_F(AnswersTest, In8BitsAreComparedAndHandedOverSo) {
  options_.int8.emplace();
  const auto all = archs(4, 3);
  const auto found =
      find_answers(shop(), {.targets = {target(1.0, all)}}, {.predictor_rmse = 10.0});
  ASSERT_EQ(found.size(), 1U);
  const Int8Evaluator int8(trained_.dataset, {}, trained_.seed);
  double best = 0;
  for (const space::Arch& arch : all) {
    best =
        std::max(best, int8.top1(evaluator_.extract(*trained_.weights, trained_.space->graph(arch)),
                                 trained_.dataset.validation));
  }
  EXPECT_EQ(found[0].int8_validation_top1, best);
  EXPECT_EQ(found[0].quality(), best);
  EXPECT_EQ(found[0].validation_top1, top1(found[0].net, trained_.dataset.validation));

  const TargetResult result = hand_over(shop(), found[0]);
  ASSERT_TRUE(result.int8);
  EXPECT_EQ(result.int8->validation_accuracy, best);
  EXPECT_EQ(result.int8->test_accuracy, int8.top1(found[0].net, trained_.dataset.test));
  EXPECT_EQ(result.test_accuracy, top1(found[0].net, trained_.dataset.test));
  const std::filesystem::path model = folder_.net("1ms") / result.int8->model;
  EXPECT_NE(read_file(model).find("QuantizeLinear"), std::string::npos);
  EXPECT_NE(read_file(model).find("\"int8\""), std::string::npos);
  EXPECT_EQ(read_file(folder_.net("1ms") / "model.onnx").find("QuantizeLinear"), std::string::npos);

  // Candidates that were evaluated in float32 are others.
  options_.int8.reset();
  std::filesystem::remove_all(folder_.root() / "winners");
  const std::string text = text_thrown<Error>(
      [&] { find_answers(shop(), {.targets = {target(1.0, all)}}, {.predictor_rmse = 10.0}); });
  EXPECT_NE(text.find("candidates.jsonl: evaluated under other conditions: weights: "),
            std::string::npos)
      << text;
}

TEST_F(AnswersTest, Int8IsCloseToFloat) {
  const Int8Evaluator int8(trained_.dataset, {}, trained_.seed);
  double off = 0;
  for (const space::Arch& arch : archs(5, 4)) {
    const graph::Net net = evaluator_.extract(*trained_.weights, trained_.space->graph(arch));
    off += std::abs(int8.top1(net, trained_.dataset.test) - top1(net, trained_.dataset.test)) / 5;
  }
  EXPECT_LT(off, 0.05);
}

TEST(TargetNameTest, IsTheTargetAsItIsTyped) {
  EXPECT_EQ(target_name(0.75), "0.75ms");
  EXPECT_EQ(target_name(2), "2ms");
  EXPECT_EQ(target_name(0.753), "0.753ms");
  EXPECT_NE(target_name(0.7500001), target_name(0.7500002));
}

}  // namespace
}  // namespace lathe::run
