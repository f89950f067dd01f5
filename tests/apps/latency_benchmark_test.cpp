#include <fstream>

#include "apps/program.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe::testing {
namespace {

const std::string kExamples = LATHE_EXAMPLES;

struct LatencyBenchmarkTest : ::testing::Test {
  TemporaryFolder folder;
  const std::string arch = (folder / "arch.json").string();

  void SetUp() override {
    const auto space = space::make_space("mbv3_28");
    write_json(arch, space->to_json(space->smallest()));
  }
  std::string benchmark(const std::string& more) const {
    return "latency benchmark --space mbv3_28 --arch " + quoted(arch) + " " + more +
           " --sessions 2 --rounds 2 --runs 3 --warmup 2 --warmup-ms 0 --pause-ms 0";
  }
  /// A shell script as a runner.
  std::string script(const std::string& name, const std::string& lines) const {
    const std::filesystem::path path = folder / name;
    std::ofstream(path) << "#!/bin/sh\n" << lines << '\n';
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path.string();
  }
  std::string fixed_runner() const {
    return script("runner.sh",
                  "test -s \"$1\" || exit 5\nsleep 0.12\n"
                  "echo '{\"device\":\"phone\",\"runtime\":\"fixed\",\"latencies_ms\":[50,60]}'");
  }
};

TEST_F(LatencyBenchmarkTest, ReportsAllThatAReaderNeeds) {
  const std::string out = (folder / "report.json").string();
  const Outcome outcome = run_lathe(benchmark("--json --layout nchw --pin 0 --out " + quoted(out)));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const nlohmann::json report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report, read_json(out));
  EXPECT_EQ(report.at("unit"), "ms");
  EXPECT_EQ(report.at("count"), 12);
  EXPECT_EQ(report.at("values").size(), 12U);
  EXPECT_LE(report.at("p50_ci95")[0], report.at("p50"));
  EXPECT_GE(report.at("p50_again95")[1], report.at("p50_ci95")[1]);
  EXPECT_GT(report.at("first"), 0);
  EXPECT_EQ(report.at("model").at("space"), "mbv3_28");
  const nlohmann::json& conditions = report.at("conditions");
  for (const char* const key : {"device", "runtime", "precision", "batch", "threads", "machine"}) {
    EXPECT_TRUE(conditions.contains(key)) << key;
  }
  EXPECT_EQ(conditions.at("machine").at("affinity"), std::vector<int>{0});

  const Outcome again = run_lathe(benchmark("--json --compare " + quoted(out)));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  const nlohmann::json compared = nlohmann::json::parse(again.out).at("compared");
  EXPECT_EQ(compared.at("p50_before"), report.at("p50"));
  EXPECT_EQ(compared.at("expected"), report.at("p50_again95"));
  EXPECT_TRUE(compared.at("agrees").is_boolean());
  EXPECT_EQ(run_lathe(benchmark("--batch 2 --compare " + quoted(out))).err,
            "lathe: " + out + ": of another batch: 1 against 2\n");
}

TEST_F(LatencyBenchmarkTest, TimesSeveralNetsInTurns) {
  const std::string larger = (folder / "larger.json").string();
  const auto space = space::make_space("mbv3_28");
  write_json(larger, space->to_json(space->largest()));
  const std::string out = (folder / "report.json").string();
  const Outcome first = run_lathe(benchmark(quoted(larger) + " --json --out " + quoted(out)));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const nlohmann::json nets = read_json(out).at("nets");
  ASSERT_EQ(nets.size(), 2U);
  EXPECT_LT(nets[0].at("p50"), nets[1].at("p50"));

  const std::string compare = " --compare " + quoted(out);
  const Outcome again = run_lathe(benchmark(quoted(larger) + compare));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.out.find(" of 2 nets are within what the earlier benchmark expects"),
            std::string::npos);
  EXPECT_EQ(run_lathe(benchmark(compare)).err,
            "lathe: " + out + ": has 2 net(s), this benchmark 1\n");
}

TEST_F(LatencyBenchmarkTest, RunsAnyProgram) {
  const Outcome outcome =
      run_lathe(benchmark("--json --runner command --command " + quoted(fixed_runner())));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const nlohmann::json report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report.at("p50"), 55);
  EXPECT_EQ(report.at("conditions").at("device"), "phone");
  EXPECT_EQ(report.at("conditions").at("runtime"), "fixed");
}

TEST_F(LatencyBenchmarkTest, TimesAModelFile) {
  const std::string model = (folder / "m.onnx").string();
  write_file_atomic(model, "a model");
  const std::string command =
      "latency benchmark --sessions 2 --rounds 1 --pause-ms 0 --onnx " + quoted(model) + " ";
  const Outcome outcome =
      run_lathe(command + "--runner command --command " + quoted(fixed_runner()));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(lines_of(outcome.out)[0].rfind("55.0000 ms median", 0), 0U) << outcome.out;
  const Outcome twice = run_lathe(command + "--json --runner command --command " +
                                  quoted(fixed_runner()) + " --onnx " + quoted(model));
  const nlohmann::json nets = nlohmann::json::parse(twice.out).at("nets");
  ASSERT_EQ(nets.size(), 2U);
  EXPECT_FALSE(nets[0].contains("ratio_to_first"));
  EXPECT_EQ(nets[1].at("ratio_to_first"), 1);
  expect_failure(run_lathe(command + "--runner torch"), 1,
                 "--onnx: the torch runner takes archs only; add --runner onnxruntime, or --runner "
                 "command --command ...");
}

TEST_F(LatencyBenchmarkTest, SaysWhatIsWrongWithARunner) {
  expect_failure(run_lathe(benchmark("--runner command")), 1,
                 "--runner command: needs --command with the program to run (docs/runners.md)");
  expect_failure(run_lathe(benchmark("--runner onnxruntime --device cuda")), 1,
                 "--device: goes with --runner torch, got --runner onnxruntime");
  expect_failure(run_lathe(benchmark("--device tpu")), 1,
                 "device \"tpu\": expected cpu, cuda or cuda:<number>");
  const std::string dead = script("dead.sh", "echo 'no such device' >&2; exit 7");
  expect_failure(
      run_lathe(benchmark("--runner command --retries 1 --command " + quoted(dead))), 1,
      "runner `" + dead + "`: exit status 7; its last words: no such device (2 attempts)");
  expect_failure(run_lathe("latency benchmark --arch " + quoted(arch)), 1,
                 "--arch: needs --space, the space that it is of");
}

TEST_F(LatencyBenchmarkTest, GeneratesOnAnyRunnerAsWell) {
  const std::string out = (folder / "samples.jsonl").string();
  const Outcome outcome =
      run_lathe("latency generate --space mbv3_28 --samples 2 --rounds 2 --out " + quoted(out) +
                " --runner command --command " + quoted(fixed_runner()));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(JsonLines(out).read().size(), 3U);
}

// ssh itself is a script here: it drops the options and the host, and runs the rest.
TEST_F(LatencyBenchmarkTest, MeasuresOverSsh) {
  const std::string log = (folder / "hosts").string();
  script(
      "ssh",
      "while :; do case $1 in -o) shift 2;; -n) exec < /dev/null; shift;; *) break;; esac; done\n"
      "echo \"$1\" >> '" +
          log + "'; shift; exec sh -c \"$*\"");
  const std::string runner = kExamples + "/runners/ssh.sh me@phone " + fixed_runner();
  const Outcome outcome =
      run_lathe(benchmark("--json --runner command --command " + quoted(runner)),
                "PATH=" + quoted(folder.path().string()) + ":$PATH; export PATH; ");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("p50"), 55);
  EXPECT_EQ(lines_of(read_file(log))[0], "me@phone");
}

// Built where ONNX Runtime's C++ API is found; elsewhere it is said what to do.
TEST_F(LatencyBenchmarkTest, MeasuresWithOnnxRuntimeByDefault) {
  const Outcome outcome = run_lathe(benchmark("--json --runner onnxruntime"));
  const auto runtime = [&](const std::string& options) {
    const Outcome timed = run_lathe(benchmark("--json " + options));
    EXPECT_EQ(timed.exit_code, 0) << timed.err;
    return nlohmann::json::parse(timed.out).at("conditions").at("runtime").get<std::string>();
  };
  EXPECT_TRUE(runtime("--layout nchw").starts_with("torch"));
  if (!std::filesystem::exists(std::filesystem::path(LATHE_PROGRAM).parent_path() /
                               "lathe-onnxruntime")) {
    expect_failure(outcome, 1,
                   "--runner onnxruntime: this build is without ONNX Runtime: install its C++ "
                   "development files "
                   "(libonnxruntime-dev) and configure again, or use --runner command with "
                   "examples/runners/onnxruntime_node");
    EXPECT_TRUE(runtime("").starts_with("torch"));
    GTEST_SKIP() << "this build is without ONNX Runtime";
  }
  EXPECT_TRUE(runtime("").starts_with("onnxruntime "));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const nlohmann::json report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report.at("conditions").at("runtime").get<std::string>().rfind("onnxruntime ", 0), 0U);
  EXPECT_EQ(report.at("count"), 12);
  EXPECT_GT(report.at("p50"), 0);

  const std::string model = (folder / "m.onnx").string();
  write_file_atomic(model, "no model");
  const Outcome bad = run_lathe(
      "latency benchmark --sessions 2 --rounds 1 --pause-ms 0 --runner onnxruntime --onnx " +
      quoted(model));
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_NE(bad.err.find("lathe-onnxruntime'`: " + model + ": ONNX Runtime: "), std::string::npos)
      << bad.err;
}

TEST_F(LatencyBenchmarkTest, MeasuresWithOnnxRuntime) {
  const std::string example = kExamples + "/runners/onnxruntime_node";
  if (std::system("node --version > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "needs node on PATH";
  }
  if (!std::filesystem::exists(example + "/node_modules/onnxruntime-node")) {
    GTEST_SKIP() << "needs npm install --ignore-scripts --prefix " << example;
  }
  const Outcome outcome = run_lathe(
      benchmark("--json --runner command --command " + quoted("node " + example + "/runner.mjs")));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const nlohmann::json report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report.at("conditions").at("runtime").get<std::string>().rfind("onnxruntime-node", 0),
            0U);
  EXPECT_GT(report.at("p50"), 0);
}

}  // namespace
}  // namespace lathe::testing
