#include "lathe/report/run_report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "report/run_folders.h"

namespace lathe::report {
namespace {

using lathe::testing::RunInFolder;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using Json = nlohmann::ordered_json;

class RunReportTest : public ::testing::Test {
 protected:
  std::filesystem::path root() const { return folder_ / "mine"; }
  Json record() const { return run_record(root()); }
  void change(const std::string& file, const std::function<void(nlohmann::json&)>& how) const {
    nlohmann::json json = read_json(root() / file);
    how(json);
    write_json(root() / file, Json(json));
  }
  bool noted(const Json& record, const std::string& text) const {
    for (const auto& note : record.at("notes")) {
      if (note.get<std::string>().find(text) != std::string::npos) return true;
    }
    return false;
  }

  TemporaryFolder folder_;
};

TEST_F(RunReportTest, SaysWhatWasAskedAndAnswered) {
  const RunInFolder run(root());
  const Json found = record();
  EXPECT_EQ(found.at("name"), "mine");
  EXPECT_EQ(found.at("kind"), "run");
  EXPECT_EQ(found.at("finished"), true);
  EXPECT_EQ(found.at("space"), "mbv3_28");
  EXPECT_EQ(found.at("dataset"), "photos");
  EXPECT_EQ(found.at("budget_s"), 600);
  EXPECT_EQ(found.at("validation_images"), 400);
  EXPECT_EQ(found.at("device").at("device"), "test");
  EXPECT_EQ(found.at("notes"), Json::array()) << found.at("notes");
  const Json& targets = found.at("targets");
  ASSERT_EQ(targets.size(), 4U);
  EXPECT_EQ(targets[0].at("feasible"), false);
  EXPECT_EQ(targets[1].at("files"), (Json{{{"name", "model.onnx"}, {"bytes", 1234}}}));
  EXPECT_NE(targets[1].at("net"), targets[2].at("net"));
  EXPECT_EQ(targets[2].at("net"), targets[3].at("net")) << "one net, twice an answer";
  EXPECT_EQ(targets[2].at("session_ms").size(), 2U);
}

TEST_F(RunReportTest, HasEachEvaluatedNetOnceWithItsPredictions) {
  const RunInFolder run(root());
  const Json nets = record().at("nets");
  // The answers are the smallest and the largest net, which were evaluated too.
  ASSERT_EQ(nets.size(), static_cast<std::size_t>(lathe::testing::kRunCandidates));
  double fastest = 1e9;
  for (const Json& net : nets) {
    const space::Arch arch = run.space().from_json(net.at("arch"), "net");
    EXPECT_DOUBLE_EQ(net.at("predicted_ms").get<double>(), run.table().predict_ms(arch));
    EXPECT_EQ(net.at("picture").at("kind"), "blocks");
    EXPECT_EQ(net.at("picture").at("blocks").size(), run.space().blocks(arch).size());
    fastest = std::min(fastest, net.at("predicted_ms").get<double>());
  }
  // No net is both faster and more accurate than one on the front, and every other has such a one.
  for (const Json& net : nets) {
    bool beaten = false;
    for (const Json& other : nets) {
      beaten |= other.at("predicted_ms") <= net.at("predicted_ms") &&
                other.at("validation_accuracy") > net.at("validation_accuracy");
    }
    EXPECT_EQ(net.contains("front"), !beaten) << net;
  }
}

TEST_F(RunReportTest, PredictsMeasuredNetsByModelsThatHaveNotSeenThem) {
  const RunInFolder run(root());
  const Json latency = record().at("latency");
  EXPECT_EQ(latency.at("held_out"), true);
  ASSERT_EQ(latency.at("samples").size(), static_cast<std::size_t>(lathe::testing::kRunSamples));
  EXPECT_EQ(latency.at("anchor_ms").size(), static_cast<std::size_t>(lathe::testing::kRunSamples));
  for (const Json& sample : latency.at("samples")) {
    const double measured = sample.at("measured_ms"), predicted = sample.at("predicted_ms");
    EXPECT_LT(sample.at("low_ms"), measured);
    EXPECT_GT(sample.at("high_ms"), measured);
    EXPECT_NE(predicted, measured);
    EXPECT_NEAR(predicted, measured, 0.3 * measured);
  }
  // A model that was given is asked as it is.
  change("latency.json", [](nlohmann::json& model) { model["fitted"] = false; });
  const Json given = record().at("latency");
  EXPECT_EQ(given.at("held_out"), false);
  EXPECT_NEAR(given.at("samples")[0].at("predicted_ms").get<double>(),
              given.at("samples")[0].at("measured_ms").get<double>(), 1e-12);
}

TEST_F(RunReportTest, MarksWhereShrinkingStarts) {
  const RunInFolder run(root());
  const Json training = record().at("training");
  EXPECT_EQ(training.at("method"), "deps");
  EXPECT_EQ(training.at("steps_per_epoch"), 100);
  ASSERT_EQ(training.at("records").size(), 4U);
  EXPECT_EQ(training.at("records")[3].at("top1").at("largest"), 0.9);
  ASSERT_EQ(training.at("marks").size(), 1U);
  EXPECT_EQ(training.at("marks")[0].at("step"), 220);
  EXPECT_EQ(training.at("marks")[0].at("text"), "shrinking starts");
}

TEST_F(RunReportTest, FindsTheStartInTheRecordsWithoutACheckpoint) {
  const RunInFolder run(root());
  std::filesystem::remove_all(root() / "checkpoint");
  const Json marks = record().at("training").at("marks");
  ASSERT_EQ(marks.size(), 1U);
  EXPECT_EQ(marks[0].at("step"), 200);
  EXPECT_EQ(marks[0].at("to_step"), 300);
}

TEST_F(RunReportTest, MarksWhereImagesGrow) {
  const RunInFolder run(root());
  const std::vector<nlohmann::json> lines = JsonLines(root() / "metrics.jsonl").read();
  std::filesystem::remove(root() / "metrics.jsonl");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    nlohmann::json line = lines[i];
    if (i < 3) line["image_size"] = i < 2 ? 14 : 21;
    JsonLines(root() / "metrics.jsonl").append(line);
  }
  const Json marks = record().at("training").at("marks");
  ASSERT_EQ(marks.size(), 3U);
  EXPECT_EQ(marks[0].at("step"), 200);
  EXPECT_EQ(marks[0].at("to_step"), 300);
  EXPECT_EQ(marks[0].at("text"),
            "images of 21 pixels from in here; accuracies before are on images of 14 pixels");
  EXPECT_EQ(marks[1].at("text"), "shrinking starts");
  EXPECT_EQ(marks[2].at("step"), 300);
  EXPECT_EQ(marks[2].at("text"),
            "whole images from in here; accuracies before are on images of 21 pixels");
}

TEST_F(RunReportTest, FollowsAPlanThatWasShortenedOnItsWay) {
  const RunInFolder run(root());
  // 1000 steps were planned, 600 of them of the small net; from step 200 on 800 steps were done in
  // 400. The planned step 600 is then done as step 200 + 400 / 2.
  save_safetensors(root() / "checkpoint/supernet.safetensors",
                   {.tensors = {},
                    .metadata = {{"settings", R"({"strategy":{"method":"grow","total_steps":1000,)"
                                              R"("small_share":0.6}})"},
                                 {"state", R"({"strategy":[[200,400]]})"}}});
  const Json marks = record().at("training").at("marks");
  ASSERT_EQ(marks.size(), 1U);
  EXPECT_EQ(marks[0].at("step"), 400);
}

TEST_F(RunReportTest, OfAnUnfinishedRunShowsWhatThereIs) {
  const RunInFolder run(root());
  for (const char* gone : {"result.json", "latency.json", "latency_samples.jsonl",
                           "candidates.jsonl", "metrics.jsonl", "checkpoint", "nets"}) {
    std::filesystem::remove_all(root() / gone);
    const Json found = record();
    EXPECT_EQ(found.at("kind"), "run");
    EXPECT_FALSE(found.at("notes").empty()) << gone;
  }
  const Json found = record();
  EXPECT_EQ(found.at("finished"), false);
  EXPECT_TRUE(noted(found, "the run has not ended"));
  EXPECT_TRUE(noted(found, "no training curves"));
  EXPECT_EQ(found.at("targets"), Json::array());
}

TEST_F(RunReportTest, OfAFolderThatIsNoneSaysWhatWasExpected) {
  std::filesystem::create_directories(root());
  write_file_atomic(root() / "notes.txt", "hello");
  EXPECT_EQ(text_thrown<Error>([&] { record(); }),
            root().string() +
                ": is no run's folder: expected result.json or train.json, as lathe run, lathe "
                "specialize and lathe train --out leave them");
  write_json(root() / "result.json", {{"strategy", "all-targets"}, {"targets", Json::array()}});
  EXPECT_EQ(text_thrown<Error>([&] { record(); }),
            root().string() +
                ": is an answer of lathe search, which measures nothing: tradeoff.svg and "
                "front.csv there show it");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { report_html({}); }),
            "[report::report_html] expected at least one folder, got none");
}

TEST_F(RunReportTest, OfATrainingAloneShowsItsNet) {
  const RunInFolder run(root());
  const Json arch = run.space().to_json(run.space().smallest());
  for (const char* gone : {"latency.json", "latency_samples.jsonl", "candidates.jsonl"}) {
    std::filesystem::remove(root() / gone);
  }
  write_file_atomic(root() / "config.toml", "[train]\nmethod=\"plain\"\n");
  write_json(root() / "arch.json", arch);
  write_json(root() / "result.json", {{"method", "plain"},
                                      {"space", "mbv3_28"},
                                      {"macs", 5},
                                      {"params", 3},
                                      {"validation_top1", 0.9},
                                      {"test_top1", 0.8}});
  const Json found = record();
  EXPECT_EQ(found.at("kind"), "train");
  ASSERT_EQ(found.at("trained").size(), 1U);
  EXPECT_EQ(found.at("trained")[0].at("test_top1"), 0.8);
  EXPECT_EQ(found.at("nets")[0].at("arch"), arch);
  EXPECT_EQ(found.at("notes"), Json::array()) << found.at("notes");
}

TEST_F(RunReportTest, OfASearchOfCellsShowsThemAndWhenTheyBeginToLearn) {
  const auto space = space::open_space("darts_c16_l8");
  Rng rng(3);
  const Json arch = space->to_json(space->sample(rng));
  write_json(root() / "search/train.json", {{"space", "darts_c8_l4"},
                                            {"method", "pc-darts"},
                                            {"dataset", {{"name", "d"}, {"image_size", 32}}},
                                            {"first_logits_epoch", 2}});
  JsonLines lines(root() / "search/metrics.jsonl");
  for (int epoch = 1; epoch <= 4; ++epoch) {
    lines.append({{"step", 10 * epoch},
                  {"epoch", epoch},
                  {"loss", 1},
                  {"logits_loss", epoch < 3 ? Json() : Json(2)},
                  {"top1", {{"search_net", 0.5}}}});
  }
  std::filesystem::rename(root() / "search", folder_ / "alone");
  write_json(folder_ / "alone/result.json", {{"method", "pc-darts"}, {"macs", 1}});
  write_json(folder_ / "alone/genotype.json", arch);
  Json found = run_record(folder_ / "alone");
  EXPECT_EQ(found.at("kind"), "train");
  EXPECT_EQ(found.at("nets").at(0).at("arch").at("normal"), arch.at("normal"));
  EXPECT_EQ(found.at("nets").at(0).at("picture"), (Json{{"kind", "cells"}}));
  const Json& training = found.at("training");
  EXPECT_EQ(training.at("marks").at(0).at("step"), 20);
  EXPECT_EQ(training.at("records").at(3).at("top1").at("search_net"), 0.5);
  EXPECT_FALSE(training.at("records").at(0).contains("logits_loss"));
  EXPECT_EQ(training.at("records").at(3).at("logits_loss"), 2);

  // Inside a run, whose nets are of another size.
  std::filesystem::create_directories(root());
  std::filesystem::rename(folder_ / "alone", root() / "search");
  write_json(root() / "result.json",
             {{"device", {{"space", "darts_c16_l8"}, {"input_size", 32}}},
              {"targets", {{{"target_ms", 5}, {"feasible", true}, {"arch", arch}}}}});
  found = record();
  EXPECT_EQ(found.at("kind"), "run");
  EXPECT_EQ(found.at("space"), "darts_c16_l8");
  EXPECT_EQ(found.at("nets").at(0).at("macs"),
            graph::macs(space->graph(space->from_json(arch, "arch"))));
  EXPECT_EQ(found.at("training").at("marks").size(), 1U);
  EXPECT_FALSE(found.contains("from"));
}

TEST_F(RunReportTest, SpecializedRunHasTheTrainingOfItsSource) {
  const RunInFolder source(root());
  const std::filesystem::path again = folder_ / "again";
  const RunInFolder run(again);
  for (const char* gone : {"train.json", "metrics.jsonl", "checkpoint"}) {
    std::filesystem::remove_all(again / gone);
  }
  write_file_atomic(again / "config.toml",
                    "[specialize]\nfrom=\"" + root().string() + "\"\nmeasure=\"nets\"\n");
  Json found = run_record(again);
  EXPECT_EQ(found.at("kind"), "specialize");
  EXPECT_EQ(found.at("from"), "mine");
  EXPECT_EQ(found.at("training").at("records").size(), 4U);
  EXPECT_EQ(found.at("notes"), Json::array()) << found.at("notes");
  std::filesystem::rename(root(), folder_ / "elsewhere");
  found = run_record(again);
  EXPECT_FALSE(found.contains("from"));
  EXPECT_TRUE(noted(found, "not where it was"));
  EXPECT_EQ(found.at("targets").size(), 4U);
}

TEST_F(RunReportTest, SurvivesWhateverIsInTheFiles) {
  const RunInFolder run(root());
  change("latency.json", [](nlohmann::json& model) { model["fitted"] = false; });  // saves time
  const std::vector<std::string> files = {"result.json",
                                          "train.json",
                                          "latency.json",
                                          "latency_samples.jsonl",
                                          "candidates.jsonl",
                                          "metrics.jsonl",
                                          "checkpoint/supernet.safetensors",
                                          "config.toml"};
  const std::vector<std::string> contents = {
      "",
      "{",
      "[]",
      "null",
      "{\"targets\": 3}",
      "[run]\nfrom=\"/\"\nbudget=x\n",
      R"({"targets": [1, {"target_ms": "fast"}, {"target_ms": 1e308, "arch": {"ks": 1}}]})",
      R"({"space": 5, "dataset": [], "seed": -1, "epochs": "many", "within": {"lowest": 1}})",
      R"({"space": "mbv3_28", "device": {"space": "mbv3_28", "in_channels": 1e300}})",
      "{\"step\": 1, \"epoch\": 0, \"loss\": \"x\"}\n{\"step\": 2, \"epoch\": 1e308}\nnot json\n",
      R"({"fingerprint": {"space": "../../etc/passwd.json"}})",
      std::string("\xff\xfe\0\0\0\0\0\1{", 9)};
  for (const std::string& file : files) {
    const std::string before = read_file(root() / file);
    for (const std::string& content : contents) {
      write_file_atomic(root() / file, content);
      const std::string page = report_html(std::vector{root()});
      EXPECT_NE(page.find("\"name\":\"mine\""), std::string::npos) << file << ": " << content;
    }
    write_file_atomic(root() / file, before);
  }
}

TEST_F(RunReportTest, TextsStayTexts) {
  const std::string evil = "</script><script>alert(1)</script><!-- \xff";
  const RunInFolder run(root());
  change("result.json", [&](nlohmann::json& result) {
    result["classes"] = {evil};
    result["device"]["device"] = evil;
    result["targets"][1]["trained"] = evil;
    result["targets"][1]["dir"] = "../../../etc";
  });
  const std::string page = report_html(std::vector{root()});
  EXPECT_EQ(page.find("</script><script>alert"), std::string::npos);
  EXPECT_EQ(page.find("<!-- \xff"), std::string::npos);
  EXPECT_EQ(page.find("../../../etc"), std::string::npos);
  EXPECT_NE(page.find("\\u003c/script>\\u003cscript>alert(1)"), std::string::npos);
}

TEST_F(RunReportTest, NamesNoFolderOfTheMachineAndNoAddress) {
  const RunInFolder run(root());
  change("latency.json", [](nlohmann::json& model) { model.erase("unit"); });
  const Json found = record();
  EXPECT_TRUE(noted(found, "latency.json"));
  const std::string page = report_html(std::vector{root()});
  EXPECT_EQ(page.find(folder_.path().string()), std::string::npos);
  EXPECT_EQ(page.find("/home/someone"), std::string::npos);
  for (const char* address : {"src=\"", "href=\"http", "url(", "@import", "fetch("}) {
    EXPECT_EQ(page.find(address), std::string::npos) << address;
  }
}

TEST_F(RunReportTest, IsSmallAndTheSameForTheSameFolders) {
  const RunInFolder run(root());
  const std::filesystem::path path = write_report(root());
  EXPECT_EQ(path, root() / "report.html");
  const std::string page = read_file(path);
  EXPECT_LT(page.size(), 2'000'000U);
  EXPECT_EQ(page.rfind("<!doctype html>", 0), 0U);
  EXPECT_EQ(report_html(std::vector{root()}), page) << "the page itself is no part of it";
  const std::string both = report_html(std::vector{root(), root()});
  EXPECT_GT(both.size(), page.size());
}

TEST_F(RunReportTest, ThinsWhatIsTooMuch) {
  const RunInFolder run(root());
  JsonLines lines(root() / "metrics.jsonl");
  for (int step = 5; step < 5000; ++step) {
    lines.append({{"step", 100 * step}, {"epoch", step}, {"loss", 1}});
  }
  accuracy::SampleLog log(root() / "candidates.jsonl", run.space(),
                          accuracy::conditions_of_samples(root() / "candidates.jsonl"));
  Rng rng(1);
  for (int i = 0; i < 1000; ++i) {
    log.append({run.space().sample(rng), 0.5 + 1e-4 * i});
  }
  const Json found = record();
  EXPECT_LE(found.at("training").at("records").size(), 1001U);
  EXPECT_EQ(found.at("training").at("records").back().at("step"), 499900);
  EXPECT_LE(found.at("nets").size(), 310U);
  EXPECT_LT(report_html(std::vector{root()}).size(), 2'000'000U);
}

TEST(NetPictureTest, IsInTheRecordOfWidthsAndCells) {
  const TemporaryFolder folder;
  for (const std::string name : {"mobilenet_v1_widths_x0.25", "darts_c16_l8"}) {
    const auto space = space::open_space(name);
    const std::filesystem::path root = folder / name;
    Rng rng(3);
    write_json(root / "train.json",
               {{"space", name},
                {"method", "plain"},
                {"dataset", {{"name", "d"}, {"image_size", space->task().input_size}}}});
    write_json(root / "arch.json", space->to_json(space->sample(rng)));
    write_json(root / "result.json", {{"validation_top1", 0.5}, {"test_top1", 0.4}});
    const Json picture = run_record(root).at("nets").at(0).at("picture");
    if (name.rfind("darts", 0) == 0) {
      EXPECT_EQ(picture, (Json{{"kind", "cells"}}));
      continue;
    }
    const Json& widths = picture.at("widths");
    ASSERT_EQ(widths.size(), space->decisions().size());
    for (const Json& layer : widths) {
      EXPECT_LE(layer.at("width"), layer.at("most"));
      EXPECT_LE(layer.at("uniform"), layer.at("most"));
    }
  }
}

}  // namespace
}  // namespace lathe::report
