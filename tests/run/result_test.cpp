#include "lathe/run/result.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"

namespace lathe::run {
namespace {

using lathe::testing::text_thrown;

TargetResult held() {
  return {.target_ms = 0.75,
          .predicted_ms = 0.71,
          .measured_ms = 0.7,
          .measured_p90_ms = 0.74,
          .session_ms = {0.69, 0.7, 0.72},
          .verdict = measure::Verdict::kWithin,
          .alpha = 0.3,
          .within_target = true,
          .predicted_accuracy = 0.9123,
          .validation_accuracy = 0.91,
          .test_accuracy = 0.905,
          .macs = 8123456,
          .params = 123456,
          .input_size = 28,
          .trained = "alone",
          .replaced_ms = {0.78, 0.76},
          .arch = {{"space", "tiny"}, {"ks", {3, 5}}},
          .dir = "nets/0.75ms"};
}

TargetResult in_int8() {
  TargetResult target = held();
  target.int8 = {.validation_accuracy = 0.8765, .test_accuracy = 0.8643, .model = "int8.onnx"};
  return target;
}

TargetResult infeasible() { return {.target_ms = 0.01, .feasible = false, .minimum_ms = 0.123}; }

TEST(TargetResultTest, ComesBackFromJson) {
  for (const TargetResult& target : {held(), in_int8(), infeasible()}) {
    const nlohmann::ordered_json json = to_json(target);
    const TargetResult back = target_result_from_json(nlohmann::json::parse(json.dump()), "f");
    EXPECT_EQ(nlohmann::json(to_json(back)), nlohmann::json(json));
  }
}

TEST(TargetResultTest, IsJudgedByItsSessions) {
  TargetResult target = held();
  target.session_ms = {0.7, 0.71, 0.72, 0.9, 0.73, 0.7, 0.7, 0.7};
  target.alpha = 0.2;
  judge(target);
  EXPECT_EQ(target.verdict, measure::Verdict::kWithin);
  EXPECT_TRUE(target.within_target);
  EXPECT_DOUBLE_EQ(target.measured_ms, 0.705);
  EXPECT_DOUBLE_EQ(target.chance_again(), 0.8);
  target.alpha = 0.01;
  judge(target);
  EXPECT_EQ(target.verdict, measure::Verdict::kUndecided) << "too few for so small an error";
  EXPECT_FALSE(target.within_target);
}

TEST(TargetResultTest, OfAnOlderVersionHoldsWhatItMeasured) {
  nlohmann::json json = to_json(held());
  json.erase("verdict");
  EXPECT_EQ(target_result_from_json(json, "f").verdict, measure::Verdict::kWithin);
}

TEST(TargetResultTest, OfAnInfeasibleTargetSaysOnlyWhatIsReachable) {
  EXPECT_EQ(to_json(infeasible()).dump(),
            R"({"target_ms":0.01,"feasible":false,"minimum_ms":0.123})");
}

TEST(TargetResultTest, NamesTheMemberAtFault) {
  nlohmann::json json = to_json(held());
  json["macs"] = "many";
  EXPECT_EQ(text_thrown<Error>([&] {
              target_result_from_json(json, "nets/target.json");
            }).rfind("nets/target.json: \"macs\": expected an integer", 0),
            0U);
  json = to_json(infeasible());
  json.erase("minimum_ms");
  EXPECT_EQ(text_thrown<Error>([&] { target_result_from_json(json, "f"); }),
            "f: \"minimum_ms\": expected a number, got nothing");
}

RunResult result() {
  RunResult result{.dataset = "fashion-mnist",
                   .input = {.size = 28,
                             .normalization = {.mean = {0.25F}, .stddev = {0.5F}},
                             .classes = {"shoe", "shirt"}},
                   .accuracy_rmse = 0.004,
                   .accuracy_kendall = 0.8,
                   .accuracy_samples = 80,
                   .search_evaluations = 5000,
                   .search_seconds = 0.5};
  TargetResult missed = held();
  missed.target_ms = 0.5;
  missed.within_target = false;
  missed.verdict = measure::Verdict::kAbove;
  missed.replaced_ms.clear();
  result.targets = {infeasible(), missed, held()};
  return result;
}

TEST(RunResultTest, HasAllFiguresInJson) {
  const nlohmann::ordered_json json = to_json(result());
  EXPECT_EQ(json["dataset"], "fashion-mnist");
  EXPECT_EQ(json["input_range"].dump(), "[0,1]");
  EXPECT_EQ(json["input_layout"], "NCHW");
  EXPECT_EQ(json["input_colors"], "gray");
  EXPECT_EQ(json["normalization"].dump(), R"({"mean":[0.25],"stddev":[0.5]})");
  EXPECT_EQ(json["classes"].dump(), R"(["shoe","shirt"])");
  EXPECT_FALSE(json.contains("input_size"));
  EXPECT_EQ(json["targets"][2]["input_size"], 28);
  EXPECT_EQ(json["accuracy_predictor"]["samples"], 80);
  EXPECT_EQ(json["accuracy_predictor"]["kendall"], 0.8);
  EXPECT_EQ(json["search"]["evaluations"], 5000);
  ASSERT_EQ(json["targets"].size(), 3U);
  EXPECT_EQ(json["targets"][0]["feasible"], false);
  for (const char* key :
       {"target_ms", "predicted_ms", "measured_ms", "measured_p90_ms", "within_target",
        "predicted_accuracy", "test_accuracy", "macs", "params", "arch", "dir"}) {
    EXPECT_TRUE(json["targets"][2].contains(key)) << key;
  }
  EXPECT_EQ(json["targets"][2]["test_accuracy"], 0.905);  // a fraction
}

TEST(RunResultTest, HasWhatInt8AnswersInItsTable) {
  RunResult found = result();
  found.targets = {in_int8()};
  EXPECT_EQ(to_json(found)["targets"][0]["int8"].dump(),
            R"({"validation_accuracy":0.8765,"test_accuracy":0.8643,"model":"int8.onnx"})");
  found.targets[0].replaced_ms.clear();
  EXPECT_EQ(result_table(found),
            "target ms | predicted ms | measured ms |  p90 ms | within target? | validation | test "
            "top-1 | in float32 |   MMACs |   params\n"
            "    0.750 |        0.710 |       0.700 |   0.740 |            yes |     87.65% |     "
            "86.43% |     90.50% |    8.12 |   123456\n"
            "latencies, validation and test top-1 are those of the nets in int8\n"
            "target 0.750 ms: trained alone\n");
}

TEST(RunResultTest, IsATableWithPercentsAndNotes) {
  RunResult found = result();
  TargetResult same = found.targets.back();
  same.target_ms = 0.9;
  same.same_as_ms = 0.75;
  same.replaced_ms.clear();
  found.targets.push_back(same);
  EXPECT_EQ(result_table(found),
            "target ms | predicted ms | measured ms |  p90 ms | within target? | validation | test "
            "top-1 |   MMACs |   params\n"
            "    0.010 | infeasible: the minimum reachable is 0.123 ms\n"
            "    0.500 |        0.710 |       0.700 |   0.740 |             NO |     91.00% |     "
            "90.50% |    8.12 |   123456\n"
            "    0.750 |        0.710 |       0.700 |   0.740 |            yes |     91.00% |     "
            "90.50% |    8.12 |   123456\n"
            "    0.900 |        0.710 |       0.700 |   0.740 |            yes |     91.00% |     "
            "90.50% |    8.12 |   123456\n"
            "target 0.500 ms: trained alone\n"
            "target 0.750 ms: trained alone\n"
            "target 0.750 ms: a better candidate measured at 0.780 ms was replaced\n"
            "target 0.750 ms: a better candidate measured at 0.760 ms was replaced\n"
            "target 0.900 ms: the net of 0.750 ms, no slower one was better\n");
  found.targets.erase(found.targets.begin() + 1);  // one net for both that are left
  EXPECT_NE(result_table(found).find("one net is the answer to every target"), std::string::npos);
}

}  // namespace
}  // namespace lathe::run
