// lathe train, evaluate, export and bench, as users have them.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "apps/synthetic_model_files.h"
#include "apps/tiny_run.h"
#include "lathe/core/file.h"
#include "lathe/core/tensor_map.h"

namespace lathe {
namespace {

using testing::Outcome;
using testing::quoted;
using testing::run_lathe;

class TrainTest : public ::testing::Test {
 protected:
  std::string data() const { return " --data-dir " + quoted(tiny_.data().string()); }
  std::string out(const std::string& name) const { return (tiny_.folder() / name).string(); }
  Outcome train(const std::string& name, const std::string& more, double epochs = 0.2) const {
    return run_lathe("train" + data() + " --space mbv3_28 --validation-size 100 --batch-size 50" +
                     " --train-threads 1 --epochs " + std::to_string(epochs) + " --out " +
                     quoted(out(name)) + " " + more);
  }
  /// What the program prints with --json.
  static nlohmann::json json(const Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  }
  /// A file with the smallest net of mbv3_28.
  std::string smallest() const {
    const auto space = space::open_space("mbv3_28");
    const std::string path = out("smallest.json");
    nlohmann::ordered_json arch = space->to_json(space->smallest());
    arch.erase("r");
    write_json(path, arch);
    return quoted(path);
  }

  testing::TinyRun tiny_;
};

TEST_F(TrainTest, OneNetAloneIsHandedOverWithItsAccuracy) {
  const nlohmann::json result =
      json(train("plain", "--method plain --arch " + smallest() + " --json", 0.5));
  const std::string net = " --weights " + quoted(out("plain") + "/weights.safetensors");
  for (const std::string& from : {" --run " + quoted(out("plain")), net}) {
    for (const std::string split : {"validation", "test"}) {
      const nlohmann::json evaluated = json(run_lathe(
          "evaluate --threads 1 --validation-size 100 --json --split " + split + from + data()));
      EXPECT_EQ(evaluated["top1"], result[split + "_top1"]) << from << " " << split;
      EXPECT_EQ(evaluated["images"], split == "test" ? 200 : 100);
      EXPECT_EQ(evaluated["macs"], result["macs"]);
    }
  }
  for (const std::string format : {"onnx", "torchscript", "safetensors"}) {
    const std::string path = out("exported." + format);
    const std::string command = "export --format " + format + net + " --out " + quoted(path);
    EXPECT_EQ(run_lathe(command).exit_code, 0);
    EXPECT_GT(std::filesystem::file_size(path), 1000U) << format;
    const Outcome again = run_lathe(command);
    EXPECT_EQ(again.exit_code, 1);
    EXPECT_EQ(again.err, "lathe: " + path + ": exists; add --force to replace it\n");
  }
  EXPECT_EQ(load_safetensors(out("exported.safetensors")).tensors,
            load_safetensors(out("plain") + "/weights.safetensors").tensors);
}

TEST_F(TrainTest, ASupernetsNetIsNamedAndFineTuned) {
  for (const std::string method : {"deps", "ofa", "bignas"}) {
    const nlohmann::json result = json(train(method, "--method " + method + " --json", 1.0));
    for (const std::string net : {"largest", "smallest"}) {
      EXPECT_GT(result[net]["validation_top1"], 0) << method;
    }
  }
  const std::string run = "evaluate --run " + quoted(out("deps")) + data();
  const Outcome unnamed = run_lathe(run);
  EXPECT_EQ(unnamed.exit_code, 1);
  EXPECT_EQ(unnamed.err, "lathe: " + out("deps") +
                             ": is a supernet's run: add --arch, a JSON file of one of its nets\n");
  const std::string arch = " --arch " + smallest();
  EXPECT_GT(json(run_lathe(run + arch + " --json"))["top1"], 0);
  const nlohmann::json tuned =
      json(train("tuned", "--method plain --json --from " + quoted(out("deps")) + arch));
  EXPECT_EQ(tuned["method"], "plain");
}

TEST_F(TrainTest, WidthsAreScoredForTargetsAndANetIsFineTuned) {
  const auto space = space::make_space(
      "resnet18_widths_x0.05",
      {.in_channels = 1, .num_classes = 10, .input_size = testing::kSyntheticSide});
  const auto files = testing::write_synthetic_models(*space, tiny_.folder().path());
  const auto train_widths = [&](const std::string& name, const std::string& more) {
    return run_lathe("train" + data() + " --space resnet18_widths --width-scale 0.05" +
                     " --validation-size 100 --batch-size 50 --train-threads 1 --epochs 1.5" +
                     " --json --out " + quoted(out(name)) + " " + more);
  };
  const std::string latency = " --latency " + quoted(files.latency.string());
  EXPECT_GT(json(train_widths("slimmable", "--method slimmable"))["smallest"]["macs"], 0);
  json(train_widths("aows", "--method aows --targets 1,1000" + latency));
  for (const std::string name : {"slimmable", "aows"}) {
    const nlohmann::json scores = read_json(out(name) + "/scores.json");
    EXPECT_EQ(scores["space"], "resnet18_widths_x0.05");
    EXPECT_EQ(scores["scores"].size(), 12U);
  }
  EXPECT_GE(JsonLines(out("aows") + "/metrics.jsonl").read().at(1).at("within_5_percent"), 0);

  write_json(out("arch.json"), space->to_json(space->smallest()));
  const std::string arch = " --arch " + quoted(out("arch.json"));
  const nlohmann::json tuned =
      json(train_widths("tuned", "--method plain --from " + quoted(out("slimmable")) + arch));
  EXPECT_GT(tuned["test_top1"], 0);

  const Outcome fast = train_widths("fast", "--method aows --targets 0.00001" + latency);
  EXPECT_EQ(fast.exit_code, 1);
  EXPECT_NE(fast.err.find("is under what the fastest net of the space takes by the latency model"),
            std::string::npos)
      << fast.err;
  const Outcome other = run_lathe("train" + data() + " --space resnet34_widths --width-scale 0.05" +
                                  " --validation-size 100 --batch-size 50 --method aows" +
                                  " --targets 1" + latency + " --out " + quoted(out("other")));
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.err.find("resnet18_widths_x0.05"), std::string::npos) << other.err;
  EXPECT_EQ(train_widths("x", "--method aows --targets 1").exit_code, 2);
  EXPECT_EQ(train_widths("x", "--method slimmable --targets 1").exit_code, 2);
  EXPECT_EQ(run_lathe("run --budget 5m --method aows --out " + quoted(out("y"))).exit_code, 2);
  EXPECT_EQ(run_lathe("train --width-scale 0.5 --out " + quoted(out("y"))).exit_code, 2);
}

TEST_F(TrainTest, GoesOnAndRefusesToMixRuns) {
  ASSERT_EQ(train("run", "").exit_code, 0);
  const std::string weights = read_file(out("run") + "/checkpoint/supernet.safetensors");
  const Outcome again = train("run", "");
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_NE(again.err.find("holds a run already; add --resume"), std::string::npos) << again.err;
  EXPECT_EQ(train("run", "--resume").exit_code, 0);
  EXPECT_EQ(read_file(out("run") + "/checkpoint/supernet.safetensors"), weights);
  const Outcome other = train("run", "--resume --method bignas");
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.err.find("use the same options or another --out"), std::string::npos)
      << other.err;
}

TEST_F(TrainTest, ABudgetBecomesEpochs) {
  const Outcome outcome = train("budget", "--method plain --budget 2s --arch " + smallest());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find(" epochs fit into 2 s"), std::string::npos) << outcome.err;
  EXPECT_GT(read_json(out("budget") + "/train.json")["epochs"], 0);
  EXPECT_FALSE(std::filesystem::exists(out("budget") + "/pace"));
}

TEST_F(TrainTest, ADryRunSaysWhatItWouldTakeAndWritesNothing) {
  const nlohmann::json forecast = json(train("dry", "--method deps --dry-run --json", 3));
  EXPECT_EQ(forecast["epochs"], 3);
  EXPECT_GT(forecast["steps"], 0);
  EXPECT_GT(forecast["seconds"], 0);
  EXPECT_FALSE(std::filesystem::exists(out("dry")));
  const Outcome searched = train("dry", "--method darts --dry-run");
  EXPECT_EQ(searched.exit_code, 2);
  EXPECT_NE(searched.err.find("lathe bench search-step"), std::string::npos) << searched.err;
}

TEST_F(TrainTest, SaysWhatDoesNotGoTogether) {
  const Outcome outcome = train("x", "--method deps --budget 10s");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err.find("--arch, --from and --budget are for one net: add --method plain"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(train("x", "--method dpes").exit_code, 2);
  EXPECT_EQ(train("x", "--method plain --budget soon").exit_code, 2);
  const Outcome plain = run_lathe("run --method plain --out " + quoted(out("y")));
  EXPECT_EQ(plain.exit_code, 2);
  EXPECT_NE(plain.err.find("use lathe train"), std::string::npos) << plain.err;
  const Outcome nothing = run_lathe("evaluate");
  EXPECT_EQ(nothing.err, "lathe: expected --run with a folder, or --weights with a file\n");
  const Outcome empty = run_lathe("evaluate --run " + quoted(tiny_.folder().path().string()));
  EXPECT_NE(empty.err.find("has no trained weights: expected train.json and a checkpoint"),
            std::string::npos)
      << empty.err;
}

TEST_F(TrainTest, SaysWhichDevicesThereAre) {
  for (const std::string& command :
       {"train --space mbv3_28 --out " + quoted(out("x")) + data(),
        "run --space mbv3_28 --out " + quoted(out("y")) + data(),
        "train --method pc-darts --out " + quoted(out("c")) + data(),
        "run --method pc-darts --out " + quoted(out("d")) + data(),
        std::string("bench train-step --space mbv3_28"), std::string("bench infer --space mbv3_28"),
        std::string("bench search-step"),
        "evaluate --run " + quoted(tiny_.folder().path().string()),
        "accuracy collect --samples 2 --out " + quoted(out("z")) + " --from " +
            quoted(tiny_.folder().path().string()),
        "specialize --out " + quoted(out("s")) + " --from " +
            quoted(tiny_.folder().path().string())}) {
    const Outcome outcome = run_lathe(command + " --train-device tpu");
    EXPECT_EQ(outcome.exit_code, 1) << command;
    EXPECT_EQ(outcome.err, "lathe: device \"tpu\": expected cpu, cuda or cuda:<number>\n")
        << command;
  }
}

TEST_F(TrainTest, ARunInBfloat16GoesOnInIt) {
  const nlohmann::json result = json(train("bf16", "--precision bfloat16 --json"));
  EXPECT_GT(result["largest"]["validation_top1"], 0);
  EXPECT_EQ(read_json(out("bf16") + "/train.json")["shards"], 2);
  const Outcome other = train("bf16", "--resume --train-device cpu");
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.err.find("has `precision=\"bfloat16\"`, this one `precision=\"float32\"`"),
            std::string::npos)
      << other.err;
  EXPECT_EQ(train("bf16", "--resume --precision bfloat16").exit_code, 0);
}

TEST(BenchTest, MeasuresTrainingAndInference) {
  const std::string options = " --space mbv3_28 --batch 8 --threads 1 --seconds 0.2 --json";
  for (const std::string what : {"train-step --subnets 2", "infer"}) {
    const Outcome outcome = run_lathe("bench " + what + options);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const auto result = nlohmann::json::parse(outcome.out);
    EXPECT_TRUE(what.starts_with(result["what"].get<std::string>())) << result["what"];
    EXPECT_GT(result["images_per_s"], 0);
    EXPECT_LE(result["images_per_s_p10"], result["images_per_s"]);
    EXPECT_GE(result["images_per_s_p90"], result["images_per_s"]);
    EXPECT_GT(result["gflops"], 0);
    EXPECT_GT(result["peak_memory_bytes"], 10'000'000);
    EXPECT_EQ(result["layout"], "channels-last");
    EXPECT_EQ(result["precision"], "float32");
    EXPECT_EQ(result["train_device"], "cpu");
    EXPECT_EQ(result["shards"], 2);
    EXPECT_FALSE(result.contains("memory"));
  }
}

TEST(BenchTest, ShowsTheMemoryAsStepsGoOn) {
  const Outcome outcome = run_lathe(
      "bench train-step --space mbv3_28 --batch 8 --threads 1 --seconds 0.1 --steps 40 --json");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto result = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(result["runs"], 40);
  ASSERT_EQ(result["memory"].size(), 20U);
  EXPECT_EQ(result["memory"][19]["step"], 40);
  for (const auto& at : result["memory"]) {
    EXPECT_GT(at["resident_bytes"], 10'000'000);
    EXPECT_LE(at["resident_bytes"], at["peak_memory_bytes"]);
  }
}

}  // namespace
}  // namespace lathe
