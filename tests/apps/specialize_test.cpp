// A finished run, asked for other targets and for another device.
#include <algorithm>
#include <fstream>
#include <memory>

#include "apps/tiny_run.h"
#include "measure/simulated_phone.h"

namespace lathe::testing {
namespace {

class SpecializeTest : public ::testing::Test {
 protected:
  /// One run for all: they read it.
  static void SetUpTestSuite() {
    tiny_ = std::make_unique<TinyRun>();
    tiny_->write_latency_table(tiny_->out());
    const Outcome run = tiny_->run();
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }
  static void TearDownTestSuite() { tiny_.reset(); }

  std::filesystem::path again() const { return own_ / "again"; }

  Outcome specialize(const std::string& more) const {
    return run_lathe("specialize --from " + quoted(tiny_->out().string()) + " --out " +
                     quoted(again().string()) +
                     " --eval-threads 1 --candidates 3 --evaluations 160 --latency-samples 20 " +
                     more);
  }

  /// A phone whose latency in ms is a 4,000,000th of the model file's bytes; a run takes 5 mJ a ms.
  std::string phone() const {
    const std::filesystem::path path = own_ / "phone.sh";
    std::ofstream(path)
        << "cat > /dev/null\n"
           "awk -v bytes=$(stat -c %s \"$1\") 'BEGIN { ms = bytes / 4000000; "
           "printf \"{\\\"device\\\": \\\"phone\\\", \\\"runtime\\\": \\\"test\\\", "
           "\\\"energy_mj\\\": %f, \\\"latencies_ms\\\": [%f, %f]}\\n\", 5 * ms, ms, ms }'\n";
    return " --runner command --command " + quoted("sh " + path.string());
  }

  static std::unique_ptr<TinyRun> tiny_;
  TemporaryFolder own_;
};

std::unique_ptr<TinyRun> SpecializeTest::tiny_;

TEST_F(SpecializeTest, AnswersOtherTargetsWithoutTraining) {
  const std::string checkpoint = read_file(tiny_->out("checkpoint/supernet.safetensors"));
  const Outcome outcome = specialize("--targets 0.000001,1000 --latency " +
                                     quoted(tiny_->out("latency.json").string()));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("infeasible: the minimum reachable is "), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(again() / "nets/1000ms/model.onnx"));
  EXPECT_FALSE(std::filesystem::exists(again() / "checkpoint"));
  EXPECT_EQ(read_file(tiny_->out("checkpoint/supernet.safetensors")), checkpoint);
  EXPECT_EQ(specialize("--targets 5").exit_code, 1) << "holds answers already";
}

TEST_F(SpecializeTest, AnswersForADeviceThatIsAProgram) {
  const Outcome outcome = specialize("--num-targets 2 --json" + phone());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto result = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(result.at("device").at("device"), "phone");
  EXPECT_EQ(result, read_json(again() / "result.json"));
  const auto& targets = result.at("targets");
  ASSERT_EQ(targets.size(), 2U);
  for (const auto& target : targets) {
    EXPECT_EQ(target.at("within_target"), true);
    // What is handed over is the file that was measured, but for its description.
    const std::string dir = target.at("dir");
    const double bytes =
        static_cast<double>(std::filesystem::file_size(again() / dir / "model.onnx"));
    EXPECT_NEAR(target.at("measured_ms"), bytes / 4e6, 0.1 * bytes / 4e6);
  }
}

TEST_F(SpecializeTest, TakesTargetsWithTheirUnits) {
  const Outcome outcome = specialize("--targets 1000,1s,3000000us,4/s --batch 2 --dry-run");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("3 of 3 targets can be met"), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(again() / "result.json"));
  const Outcome answered = specialize("--targets 4/s --batch 2 --resume --json");
  ASSERT_EQ(answered.exit_code, 0) << answered.err;
  EXPECT_EQ(nlohmann::json::parse(answered.out).at("targets").at(0).at("target_ms"), 500);
}

TEST_F(SpecializeTest, WhatIsCertifiedIsVerifiedLater) {
  const Outcome outcome = specialize("--num-targets 2 --json --quantile p90" + phone());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto result = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(result.at("quantile"), 0.9);
  for (const auto& target : result.at("targets")) {
    const auto certificate =
        read_json(again() / std::string(target.at("dir")) / "certificate.json");
    EXPECT_EQ(certificate.at("verdict"), "within");
    EXPECT_NE(std::string(certificate.at("claim")).find("p90 of a session's runs is within "),
              std::string::npos);
    EXPECT_EQ(certificate.at("session_ms"), target.at("session_ms"));
    EXPECT_EQ(certificate.at("sentinels").size(), 2U);
    EXPECT_EQ(certificate.at("device").at("device"), "phone");
  }
  const std::string verify = "verify " + quoted(again().string()) + " --sessions 12 --json ";
  const Outcome later = run_lathe(verify + phone());
  ASSERT_EQ(later.exit_code, 0) << later.err;
  const auto verified = nlohmann::json::parse(later.out);
  EXPECT_NEAR(verified.at("sentinels_slowdown"), 1, 1e-9);
  ASSERT_EQ(verified.at("targets").size(), 2U);
  for (const auto& target : verified.at("targets")) {
    EXPECT_EQ(target.at("verdict"), "within");
    EXPECT_EQ(target.at("as_stated"), true);
    EXPECT_EQ(target.at("measured_ms"), target.at("measured_then_ms"));
  }
  // A phone that has become half as fast.
  const std::string script = read_file(own_ / "phone.sh");
  write_file_atomic(own_ / "phone.sh",
                    std::string(script).replace(script.find("4000000"), 7, "2000000"));
  const Outcome slower = run_lathe(verify + " --runner command --command " +
                                   quoted("sh " + (own_ / "phone.sh").string()));
  ASSERT_EQ(slower.exit_code, 0) << slower.err;
  EXPECT_NEAR(nlohmann::json::parse(slower.out).at("sentinels_slowdown"), 2, 1e-3);
  EXPECT_EQ(nlohmann::json::parse(slower.out).at("targets").at(0).at("verdict"), "above");
  // Another device is none that the certificate speaks of.
  const Outcome here = run_lathe("verify " + quoted(again().string()));
  EXPECT_EQ(here.exit_code, 1);
  EXPECT_NE(lines_of(here.err).back().find(
                "certificate.json: measured under other conditions (device: \"phone\" against "),
            std::string::npos)
      << here.err;
  expect_failure(run_lathe("verify " + quoted(own_.path().string())), 1,
                 own_.path().string() +
                     ": has no certificates: expected nets/*/certificate.json, as lathe run and "
                     "lathe specialize leave them");
}

TEST_F(SpecializeTest, AnswersForADeviceThatIsKnownExactly) {
  const Outcome outcome = specialize(
      "--num-targets 3 --json --runner command --protocol 2 "
      "--command " +
      quoted(std::string(LATHE_PHONE) + " 5"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto result = nlohmann::json::parse(outcome.out);
  const auto space = space::open_space("mbv3_28", {.input_size = kSyntheticSide});
  for (const auto& target : result.at("targets")) {
    const double truth_ms =
        phone_ms(phone_layers(space->graph(space->from_json(target.at("arch"), "arch"))));
    EXPECT_NEAR(target.at("measured_ms"), truth_ms, 0.05 * truth_ms) << target;
    EXPECT_NEAR(target.at("reported").at("energy_mj"), 2.5 * truth_ms, 1e-6 * truth_ms)
        << "the layers in the file are not those of the graph";
    if (target.at("within_target")) {
      EXPECT_GT(chance_within(truth_ms, target.at("target_ms"), {}), 0.5) << target;
    }
  }
}

TEST_F(SpecializeTest, AnswersIn8Bits) {
  // Times nothing but models of 8 bits, and is told which they are.
  const std::filesystem::path path = own_ / "npu.sh";
  std::ofstream(path) << "grep -q '\"precision\":\"int8\"' || exit 5\n"
                         "grep -q DequantizeLinear \"$1\" || exit 6\n"
                         "awk -v bytes=$(stat -c %s \"$1\") 'BEGIN { ms = bytes / 4000000; printf "
                         "\"{\\\"device\\\": \\\"npu\\\", \\\"runtime\\\": \\\"test\\\", "
                         "\\\"latencies_ms\\\": [%f, %f]}\\n\", ms, ms }'\n";
  const std::string npu = " --runner command --command " + quoted("sh " + path.string());
  const Outcome outcome = specialize("--num-targets 2 --precision int8 --json" + npu);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find(" whole nets in int8 on npu (test)"), std::string::npos)
      << outcome.err;
  const auto result = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(result.at("device").at("precision"), "int8");
  EXPECT_EQ(read_json(again() / "latency.json").at("fingerprint").at("precision"), "int8");
  for (const auto& target : result.at("targets")) {
    EXPECT_EQ(target.at("within_target"), true);
    const auto& int8 = target.at("int8");
    EXPECT_EQ(int8.size(), 3U);
    const std::filesystem::path folder = again() / std::string(target.at("dir"));
    const double bytes =
        static_cast<double>(std::filesystem::file_size(folder / std::string(int8.at("model"))));
    EXPECT_NEAR(target.at("measured_ms"), bytes / 4e6, 0.1 * bytes / 4e6);
    EXPECT_TRUE(std::filesystem::exists(folder / "model.onnx"));
    EXPECT_EQ(read_json(folder / "certificate.json").at("device").at("precision"), "int8");
  }
  const std::string verify = "verify " + quoted(again().string()) + " --sessions 5";
  EXPECT_EQ(run_lathe(verify + " --precision int8" + npu).exit_code, 0);
  const Outcome in_float = run_lathe(verify + phone());
  EXPECT_NE(lines_of(in_float.err).back().find("measured under other conditions (device: "),
            std::string::npos)
      << in_float.err;
}

TEST_F(SpecializeTest, RefusesIn8BitsWhatIsNot) {
  expect_failure(specialize("--num-targets 2 --runner torch --precision int8"), 1,
                 "--precision int8: the torch runner computes in float32; add --runner command "
                 "with --command ..., or --runner onnxruntime where it is built in");
  EXPECT_FALSE(std::filesystem::exists(again()));
  // A model of nets in float32, of the same device and runtime.
  ASSERT_EQ(specialize("--num-targets 2 --dry-run" + phone()).exit_code, 0);
  std::filesystem::rename(again() / "latency.json", own_ / "float.json");
  std::filesystem::remove_all(again());
  const Outcome model = specialize("--num-targets 2 --precision int8 --latency " +
                                   quoted((own_ / "float.json").string()) + phone());
  EXPECT_EQ(model.exit_code, 1);
  EXPECT_NE(lines_of(model.err).back().find(
                "measured under other conditions (precision: \"float32\" against \"int8\")"),
            std::string::npos)
      << model.err;
  std::ofstream(own_ / "half.sh") << R"(cat > /dev/null; echo '{"device": "d", "runtime": "r", )"
                                     R"("precision": "float16", "latencies_ms": [0.1]}')";
  const Outcome other =
      specialize("--num-targets 2 --precision int8 --retries 0 --runner command --command " +
                 quoted("sh " + (own_ / "half.sh").string()));
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(lines_of(other.err).back().find("computes in float16 where its models are int8"),
            std::string::npos)
      << other.err;
}

TEST_F(SpecializeTest, KeepsLimitsThatOnlyTheRunnerKnows) {
  const Outcome outcome = specialize("--targets 1000 --max-energy-mj 0.9 --json" + phone());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto target = nlohmann::json::parse(outcome.out).at("targets").at(0);
  EXPECT_NE(outcome.err.find(" times what a limit allows"), std::string::npos) << outcome.err;
  const double energy_mj = target.at("reported").at("energy_mj");
  EXPECT_EQ(target.at("within_target"), energy_mj <= 0.9);
  EXPECT_NEAR(energy_mj, 5 * target.at("measured_ms").get<double>(), 1e-3);
  std::filesystem::remove_all(again());
  const Outcome unsaid = specialize("--targets 1000 --max-device-memory-mb 1" + phone());
  EXPECT_EQ(unsaid.exit_code, 1);
  EXPECT_NE(lines_of(unsaid.err)
                .back()
                .find("--max-device-memory-mb: the runner doesn't say "
                      "device_memory_mb, which its answers need for that"),
            std::string::npos)
      << unsaid.err;
}

TEST_F(SpecializeTest, OneCallIsAboutOneQuantile) {
  const Outcome outcome = specialize("--targets 5ms@p90,7ms --dry-run");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err.find("--targets: are about different quantiles: ask once for each, with "
                             "another --out"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(specialize("--targets 5ms@q90 --dry-run").exit_code, 2);
  const Outcome p90 = specialize("--targets 1000ms@p90 --dry-run" + phone());
  EXPECT_EQ(p90.exit_code, 0) << p90.err;
  EXPECT_NE(p90.err.find("; p90 is 1.000 times the median"), std::string::npos) << p90.err;
  const Outcome other = specialize("--targets 1000 --resume" + phone());
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(lines_of(other.err).back().find(
                "device_noise.json: is of p90 where p50 is asked for; use another --out"),
            std::string::npos)
      << other.err;
}

TEST_F(SpecializeTest, RefusesTheModelOfAnotherDevice) {
  const Outcome outcome =
      specialize("--latency " + quoted(tiny_->out("latency.json").string()) + phone());
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(lines_of(outcome.err).back().find("measured under other conditions (device: "),
            std::string::npos)
      << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(again() / "latency.json"));
}

TEST_F(SpecializeTest, SaysWhatAFolderIsNot) {
  const Outcome outcome = run_lathe("specialize --from " + quoted(own_.path().string()) +
                                    " --out " + quoted(again().string()));
  expect_failure(outcome, 1,
                 own_.path().string() +
                     ": has no trained weights: expected train.json and a checkpoint, as lathe "
                     "train and lathe run leave them");
}

}  // namespace
}  // namespace lathe::testing
