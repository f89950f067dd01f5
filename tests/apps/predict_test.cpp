// lathe latency import, lathe latency predict and lathe accuracy predict.
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/program.h"
#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/space/builtin_spaces.h"
#include "published_data.h"

namespace lathe {
namespace {

using lathe::testing::expect_failure;
using lathe::testing::lines_of;
using lathe::testing::Outcome;
using lathe::testing::published_data;
using lathe::testing::quoted;
using lathe::testing::run_lathe;
using lathe::testing::TemporaryFolder;

class PredictTest : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) const {
    write_file_atomic(temporary_ / name, text);
    return (temporary_ / name).string();
  }
  /// Every block takes 0.5 ms; for 32x32 images of 5 classes.
  std::string latency_model() const {
    latency::BlockCosts costs{.fingerprint = {.device = "cpu",
                                              .runtime = "torch",
                                              .precision = "float32",
                                              .space = "mbv3_28",
                                              .in_channels = 1,
                                              .num_classes = 5,
                                              .input_size = 32}};
    for (const space::Block& block : space_->distinct_blocks()) {
      costs.coefficients_ms[block.key()] = 0.5;
    }
    latency::BlockTable(*space_, costs).save(temporary_ / "latency.json");
    return (temporary_ / "latency.json").string();
  }
  /// 0.75 for every net.
  std::string predictor() const {
    const auto space = space::make_space("mbv3_28");
    const regress::DenseLayer layer{
        .inputs = space->encoding_size(),
        .outputs = 1,
        .weight = std::vector<float>(static_cast<std::size_t>(space->encoding_size())),
        .bias = {0.75F}};
    const auto path = temporary_ / "accuracy.safetensors";
    accuracy::PerceptronPredictor(*space,
                                  {.perceptron = {{layer}, regress::HiddenActivation::kRelu}})
        .save(path);
    return path.string();
  }
  std::string json_of(const space::Arch& arch) const { return space_->to_json(arch).dump(); }

  TemporaryFolder temporary_;
  std::unique_ptr<space::Space> space_ =
      space::make_space("mbv3_28", {.num_classes = 5, .input_size = 32});
};

TEST_F(PredictTest, LatencyOfOneArchIsANumber) {
  const std::string model = latency_model();
  const std::string arch = file("a.json", json_of(space_->smallest()));
  const std::string command =
      "latency predict --model " + quoted(model) + " --arch " + quoted(arch);
  const Outcome value = run_lathe(command);
  EXPECT_EQ(value.exit_code, 0) << value.err;
  const std::size_t blocks = space_->blocks(space_->smallest()).size();
  EXPECT_EQ(value.out, nlohmann::json(0.5 * static_cast<double>(blocks)).dump() + "\n");
  EXPECT_EQ(value.err, "");
  const Outcome json = run_lathe(command + " --json");
  EXPECT_EQ(nlohmann::json::parse(json.out).at("latency_ms"), 0.5 * static_cast<double>(blocks));
  EXPECT_EQ(nlohmann::json::parse(json.out).at("arch").at("r"), 32);
}

TEST_F(PredictTest, LatenciesOfManyArchsAreALineEach) {
  const std::string archs =
      file("a.jsonl", json_of(space_->smallest()) + "\n" + json_of(space_->largest()) + "\n");
  const Outcome outcome =
      run_lathe("latency predict --model " + quoted(latency_model()) + " --archs " + quoted(archs));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_LT(nlohmann::json::parse(lines[0]).at("latency_ms"),
            nlohmann::json::parse(lines[1]).at("latency_ms"));
}

TEST_F(PredictTest, AccuracyIsAFraction) {
  const auto space = space::make_space("mbv3_28");
  const std::string arch = file("a.json", space->to_json(space->largest()).dump());
  const std::string command =
      "accuracy predict --model " + quoted(predictor()) + " --arch " + quoted(arch);
  const Outcome value = run_lathe(command);
  EXPECT_EQ(value.exit_code, 0) << value.err;
  EXPECT_EQ(value.out, "0.75\n");
  EXPECT_EQ(nlohmann::json::parse(run_lathe(command + " --json").out).at("accuracy"), 0.75);
}

TEST_F(PredictTest, RefusesBadInput) {
  const std::string latency = latency_model();
  const std::string arch = file("a.json", json_of(space_->smallest()));
  const std::string of_arch = " --arch " + quoted(arch);
  const std::string none = (temporary_ / "none").string();
  expect_failure(run_lathe("latency predict --model " + quoted(none) + of_arch), 1,
                 none + ": cannot read: No such file or directory");
  expect_failure(run_lathe("accuracy predict --model " + quoted(none) + of_arch), 1,
                 none + ": cannot read: No such file or directory");
  const Outcome other =
      run_lathe("latency predict --space ofa_mbv3_w1.0 --model " + quoted(latency) + of_arch);
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.err.find("made for space \"mbv3_28\""), std::string::npos) << other.err;
  const std::string damaged = file("damaged.json", R"({"fingerprint": 3})");
  EXPECT_EQ(run_lathe("latency predict --model " + quoted(damaged) + of_arch).exit_code, 1);
  const std::string unknown = file("bad.jsonl", "{}\n");
  expect_failure(
      run_lathe("latency predict --model " + quoted(latency) + " --archs " + quoted(unknown)), 1,
      unknown + ":1: missing list \"ks\" of an arch of mbv3_28");
  EXPECT_EQ(run_lathe("latency predict --model " + quoted(latency)).exit_code, 2);
  EXPECT_EQ(run_lathe("latency predict" + of_arch).exit_code, 2);
  EXPECT_EQ(run_lathe("accuracy predict --archs b" + of_arch).exit_code, 2);
  EXPECT_EQ(run_lathe("accuracy").exit_code, 2);
}

TEST_F(PredictTest, RefusesBadTables) {
  std::filesystem::create_directories(temporary_ / "tables");
  const std::string folder = (temporary_ / "tables").string();
  const std::string arch = file("a.json", json_of(space_->smallest()));
  expect_failure(run_lathe("latency predict --model " + quoted(folder) + " --arch " + quoted(arch)),
                 1, folder + ": published tables don't name their space: give it with --space");
  const std::string import = "latency import --space mbv3_28 --out " +
                             quoted((temporary_ / "out.json").string()) + " --ofa-tables ";
  expect_failure(run_lathe(import + quoted(folder)), 1,
                 folder + ": expected files *_lookup_table.yaml, got none");
  const std::string table = file("t.yaml", "expanded_conv-a:\n  mean: .nan\n");
  expect_failure(run_lathe(import + quoted(table)), 1,
                 table + ":2: row \"expanded_conv-a\" needs a mean in (0, 1e9) ms, got \".nan\"");
  EXPECT_FALSE(std::filesystem::exists(temporary_ / "out.json"));
  EXPECT_EQ(run_lathe("latency import --space mbv3_28").exit_code, 2);
}

TEST_F(PredictTest, PublishedModelsPredictAsPublished) {
  const auto data = published_data();
  if (!data) {
    GTEST_SKIP() << "LATHE_PUBLISHED_DATA is not set";
  }
  const auto nets = lathe::testing::golden_nets(*data);
  std::string text;
  for (const auto& net : nets) {
    text += net.arch.dump() + "\n";
  }
  const std::string archs = " --archs " + quoted(file("golden.jsonl", text));
  const std::string tables = (*data / "ofa_note10").string();
  const std::string imported = (temporary_ / "note10.json").string();
  const Outcome import = run_lathe("latency import --space ofa_mbv3_w1.2 --ofa-tables " +
                                   quoted(tables) + " --out " + quoted(imported));
  EXPECT_EQ(import.exit_code, 0) << import.err;
  EXPECT_EQ(import.out, "");
  const Outcome direct =
      run_lathe("latency predict --space ofa_mbv3_w1.2 --model " + quoted(tables) + archs);
  const Outcome from_file = run_lathe("latency predict --model " + quoted(imported) + archs);
  EXPECT_EQ(direct.exit_code, 0) << direct.err;
  EXPECT_EQ(direct.out, from_file.out);
  const Outcome accuracy =
      run_lathe("accuracy predict --model " +
                quoted((*data / "ofa_note10/accuracy_predictor.safetensors").string()) + archs);
  EXPECT_EQ(accuracy.exit_code, 0) << accuracy.err;
  const auto latencies = lines_of(direct.out);
  const auto accuracies = lines_of(accuracy.out);
  ASSERT_EQ(latencies.size(), nets.size());
  ASSERT_EQ(accuracies.size(), nets.size());
  for (std::size_t i = 0; i < nets.size(); ++i) {
    EXPECT_NEAR(nlohmann::json::parse(latencies[i]).at("latency_ms"), nets[i].latency_ms,
                0.005 + 1e-9);
    EXPECT_NEAR(100 * nlohmann::json::parse(accuracies[i]).at("accuracy").get<double>(),
                nets[i].accuracy_percent, 0.005 + 1e-4);
  }
}

TEST_F(PredictTest, PublishedModelsRefuseWhatTheyNeverSaw) {
  const auto data = published_data();
  if (!data) {
    GTEST_SKIP() << "LATHE_PUBLISHED_DATA is not set";
  }
  auto net = lathe::testing::golden_nets(*data).front().arch;
  net["r"] = 128;
  const std::string arch = file("a.json", net.dump());
  expect_failure(run_lathe("accuracy predict --model " +
                           quoted((*data / "ofa_note10/accuracy_predictor.safetensors").string()) +
                           " --arch " + quoted(arch)),
                 1, arch + ": \"r\" must be one of 160, 176, 192, 208, 224, got 128");
}

}  // namespace
}  // namespace lathe
