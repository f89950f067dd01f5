#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/program.h"
#include "lathe/core/random.h"
#include "lathe/latency/fit/operators.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe {
namespace {

using lathe::testing::expect_failure;
using lathe::testing::Outcome;
using lathe::testing::quoted;
using lathe::testing::run_lathe;
using lathe::testing::TemporaryFolder;

/// One line of CSV: the arch and a latency.
std::string csv_line(const space::Space& space, const space::Arch& arch, double ms) {
  std::string cell;
  for (const char c : space.to_json(arch).dump()) {
    cell += c == '"' ? "\"\"" : std::string(1, c);
  }
  return '"' + cell + "\"," + std::to_string(ms) + "\n";
}

/// A CSV of nets with the latency of a device that takes `launch_ms` for each operator.
void write_csv(const std::filesystem::path& path, double launch_ms, int count) {
  const auto space = space::make_space("mbv3_28");
  Rng rng(1);
  std::ofstream csv(path);
  csv << "arch,phone\n";
  for (int i = 0; i < count; ++i) {
    const space::Arch arch = space->sample(rng);
    double ms = 0.1;
    for (const space::Block& block : space->blocks(arch)) {
      for (const latency::Operator& op : latency::operators_of(block)) {
        ms += launch_ms + op.macs() / 1e6;
      }
    }
    csv << csv_line(*space, arch, ms * (1 + 0.01 * rng.normal()));
  }
}

TEST(LatencyFitTest, FromACsvToAnAdaptedModel) {
  const TemporaryFolder dir;
  const auto file = [&](const char* name) { return quoted((dir / name).string()); };
  write_csv(dir / "a.csv", 0.02, 150);
  write_csv(dir / "b.csv", 0.05, 60);
  for (const char* name : {"a", "b"}) {
    const std::string base = (dir / name).string();
    const Outcome imported = run_lathe("latency import --space mbv3_28 --column phone --csv " +
                                       quoted(base + ".csv") + " --out " + quoted(base + ".jsonl"));
    ASSERT_EQ(imported.exit_code, 0) << imported.err;
  }
  for (const std::string kind : {"ridge", "additive", "linear", "perceptron", "residual"}) {
    const Outcome fit =
        run_lathe("latency fit --model " + kind + " --train-count 100 --seed 3 --json --samples " +
                  file("a.jsonl") + " --out " + file("m"));
    ASSERT_EQ(fit.exit_code, 0) << fit.err;
    const auto fitted = nlohmann::json::parse(fit.out);
    EXPECT_EQ(fitted.at("samples"), 100);
    const Outcome validate =
        run_lathe("latency validate --train-count 100 --seed 3 --json --model " + file("m") +
                  " --samples " + file("a.jsonl"));
    ASSERT_EQ(validate.exit_code, 0) << validate.err;
    const auto error = nlohmann::json::parse(validate.out);
    EXPECT_EQ(error.at("samples"), 50);
    EXPECT_EQ(error.at("mape"), fitted.at("validation").at("mape")) << kind;
    EXPECT_LT(error.at("mape"), 0.2) << kind;
    EXPECT_LT(error.at("mape"), error.at("baselines").at("mean").at("mape"));
    for (const char* key : {"rmse_ms", "spearman", "kendall", "within_5", "within_10"}) {
      EXPECT_TRUE(error.at(key).is_number()) << key;
    }
    EXPECT_TRUE(error.contains("repeatability"));
    const Outcome adapted = run_lathe("latency adapt --train-count 20 --model " + file("m") +
                                      " --samples " + file("b.jsonl") + " --out " + file("n"));
    ASSERT_EQ(adapted.exit_code, 0) << adapted.err;
    EXPECT_NE(adapted.out.find("after: MAPE"), std::string::npos) << adapted.out;
  }
}

TEST(LatencyFitTest, AnAdditiveModelSaysHowSureItIs) {
  const TemporaryFolder dir;
  const auto file = [&](const char* name) { return quoted((dir / name).string()); };
  write_csv(dir / "a.csv", 0.02, 150);
  ASSERT_EQ(run_lathe("latency import --space mbv3_28 --column phone --csv " + file("a.csv") +
                      " --out " + file("a.jsonl"))
                .exit_code,
            0);
  const auto space = space::make_space("mbv3_28");
  write_file_atomic(dir / "arch.json", space->to_json(space->largest()).dump());
  const auto predict = [&](const std::string& kind) {
    EXPECT_EQ(run_lathe("latency fit --model " + kind + " --samples " + file("a.jsonl") +
                        " --out " + file("m"))
                  .exit_code,
              0);
    return run_lathe("latency predict --certainty --model " + file("m") + " --arch " +
                     file("arch.json"));
  };
  const Outcome additive = predict("additive");
  ASSERT_EQ(additive.exit_code, 0) << additive.err;
  const auto answer = nlohmann::json::parse(additive.out);
  EXPECT_TRUE(answer.at("identifiable"));
  EXPECT_GT(answer.at("deviation_ms"), 0);
  EXPECT_LT(answer.at("deviation_ms"), 0.05 * answer.at("latency_ms").get<double>());
  expect_failure(predict("ridge"), 1,
                 (dir / "m").string() +
                     ": --certainty: the model doesn't know how sure it is; an additive one does "
                     "(lathe latency fit --model additive)");
}

TEST(LatencyFitTest, SaysWhatIsWrongAndOverwritesNothing) {
  const TemporaryFolder dir;
  const auto file = [&](const char* name) { return quoted((dir / name).string()); };
  write_csv(dir / "a.csv", 0.02, 30);
  ASSERT_EQ(run_lathe("latency import --space mbv3_28 --column phone --csv " + file("a.csv") +
                      " --out " + file("a.jsonl"))
                .exit_code,
            0);
  std::ofstream(dir / "m") << "precious";
  const std::string fit = "latency fit --samples " + file("a.jsonl") + " --out " + file("m");
  expect_failure(run_lathe(fit + " --model perceptron"), 1,
                 "a perceptron model needs at least 50 samples, got 30");
  expect_failure(run_lathe(fit + " --model ridge --train-count 31"), 1,
                 (dir / "a.jsonl").string() + ": --train-count 31 of only 30 samples");
  expect_failure(run_lathe(fit + " --model ridge --train-count 5"), 1,
                 "a ridge model needs at least 10 samples, got 5");
  EXPECT_EQ(run_lathe(fit + " --model table").exit_code, 2);
  EXPECT_EQ(run_lathe(fit + " --model forest").exit_code, 2);
  std::ofstream(dir / "a.jsonl", std::ios::app) << read_file(dir / "a.jsonl");
  const Outcome mixed = run_lathe(fit + " --model ridge");
  EXPECT_EQ(mixed.exit_code, 1);
  EXPECT_NE(mixed.err.find("a.jsonl:32: expected a measurement, got a second fingerprint"),
            std::string::npos)
      << mixed.err;
  EXPECT_EQ(read_file(dir / "m"), "precious");
}

TEST(LatencyFitTest, JudgesByNoCellThatItHasSeenUnderOtherLabels) {
  const TemporaryFolder dir;
  const auto file = [&](const char* name) { return quoted((dir / name).string()); };
  const auto space = space::make_space("darts", {.init_channels = 16, .cells = 1});
  Rng rng(1);
  std::vector<space::Arch> same;
  while (same.size() < 2) same = space->equivalents(space->sample(rng));
  std::ofstream csv(dir / "a.csv");
  csv << "arch,ms\n";
  for (std::size_t i = 0; i < 30; ++i) csv << csv_line(*space, same[i % same.size()], 1.0 + i);
  csv.close();
  const Outcome imported =
      run_lathe("latency import --space darts --init-channels 16 --cells 1 --column ms --csv " +
                file("a.csv") + " --out " + file("a.jsonl"));
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  const std::string split = " --train-count 20 --samples " + file("a.jsonl");
  const Outcome fit = run_lathe("latency fit --model linear" + split + " --out " + file("m"));
  ASSERT_EQ(fit.exit_code, 0) << fit.err;
  expect_failure(run_lathe("latency validate --model " + file("m") + split), 1,
                 (dir / "a.jsonl").string() +
                     ": --train-count leaves no sample to validate on that is no training net");
}

TEST(LatencyFitTest, ValidatesOnNoTrainingNetOfAnotherFile) {
  const TemporaryFolder dir;
  const auto file = [&](const char* name) { return quoted((dir / name).string()); };
  // The same seed: the 40 nets of the second are the first 40 of the first.
  write_csv(dir / "a.csv", 0.02, 70);
  write_csv(dir / "b.csv", 0.05, 40);
  for (const char* name : {"a", "b"}) {
    const std::string base = (dir / name).string();
    ASSERT_EQ(run_lathe("latency import --space mbv3_28 --column phone --csv " +
                        quoted(base + ".csv") + " --out " + quoted(base + ".jsonl"))
                  .exit_code,
              0);
  }
  ASSERT_EQ(
      run_lathe("latency fit --model linear --samples " + file("b.jsonl") + " --out " + file("m"))
          .exit_code,
      0);
  const std::string validate = "latency validate --json --model " + file("m");
  const Outcome outcome =
      run_lathe(validate + " --train-samples " + file("b.jsonl") + " --samples " + file("a.jsonl"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("samples"), 30);
  EXPECT_NE(
      outcome.err.find((dir / "a.jsonl").string() + ": 40 samples of training nets are left out"),
      std::string::npos)
      << outcome.err;
  expect_failure(
      run_lathe(validate + " --train-samples " + file("a.jsonl") + " --samples " + file("b.jsonl")),
      1,
      (dir / "b.jsonl").string() + ": every net of it is in " + (dir / "a.jsonl").string() +
          " too; measure others to validate on");
}

TEST(LatencyFitTest, LeavesOutATornLineAndSaysSo) {
  const TemporaryFolder dir;
  const auto file = [&](const char* name) { return quoted((dir / name).string()); };
  write_csv(dir / "a.csv", 0.02, 30);
  run_lathe("latency import --space mbv3_28 --column phone --csv " + file("a.csv") + " --out " +
            file("a.jsonl"));
  std::ofstream(dir / "a.jsonl", std::ios::app) << "{\"arch\": {\"sp";
  const Outcome fit =
      run_lathe("latency fit --model ridge --samples " + file("a.jsonl") + " --out " + file("m"));
  EXPECT_EQ(fit.exit_code, 0);
  EXPECT_NE(fit.err.find("the last line is unfinished and was left out"), std::string::npos);
}

}  // namespace
}  // namespace lathe
