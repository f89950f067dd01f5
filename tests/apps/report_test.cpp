// The page that a run leaves, and that lathe report makes of finished ones.
#include <memory>

#include "apps/tiny_run.h"

namespace lathe::testing {
namespace {

class ReportTest : public ::testing::Test {
 protected:
  /// One run for all: they read it.
  static void SetUpTestSuite() {
    tiny_ = std::make_unique<TinyRun>();
    tiny_->write_latency_table(tiny_->out());
    outcome_ = run_lathe(tiny_->options(tiny_->out(), 0.2, "--num-targets 2"));
    ASSERT_EQ(outcome_.exit_code, 0) << outcome_.err;
  }
  static void TearDownTestSuite() { tiny_.reset(); }

  static nlohmann::json runs_of(const std::filesystem::path& path) {
    const std::string page = read_file(path);
    const std::string begin = "id=\"report-data\">";
    const std::size_t from = page.find(begin) + begin.size();
    return nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from)).at("runs");
  }

  static inline std::unique_ptr<TinyRun> tiny_;
  static inline Outcome outcome_;
  TemporaryFolder own_;
};

TEST_F(ReportTest, IsLeftByARunWithItsAnswers) {
  const std::filesystem::path path = tiny_->out("report.html");
  EXPECT_NE(outcome_.out.find("all of it as a page: " + path.string() + "\n"), std::string::npos)
      << outcome_.out;
  EXPECT_LT(std::filesystem::file_size(path), 2'000'000U);
  const nlohmann::json runs = runs_of(path);
  ASSERT_EQ(runs.size(), 1U);
  const nlohmann::json result = read_json(tiny_->out("result.json"));
  ASSERT_EQ(runs[0].at("targets").size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const nlohmann::json& target = runs[0].at("targets")[i];
    EXPECT_EQ(target.at("measured_ms"), result.at("targets")[i].at("measured_ms"));
    EXPECT_EQ(target.at("session_ms"), result.at("targets")[i].at("session_ms"));
    const nlohmann::json& net = runs[0].at("nets").at(target.at("net").get<std::size_t>());
    EXPECT_EQ(net.at("macs"), target.at("macs"));
    EXPECT_EQ(net.at("params"), target.at("params"));
    // The run has searched a part of the space; the model is the same.
    EXPECT_NEAR(net.at("predicted_ms"), target.at("predicted_ms"), 1e-6);
    EXPECT_EQ(target.at("files").size(), 4U);
  }
  EXPECT_EQ(runs[0].at("notes"),
            (nlohmann::json{"latency_samples.jsonl is missing: the latency model can't be compared "
                            "with measurements"}));
}

TEST_F(ReportTest, ComparesRuns) {
  const std::string out = (own_ / "both.html").string();
  const std::string run = quoted(tiny_->out().string());
  const Outcome outcome = run_lathe("report " + run + " " + run + " --out " + quoted(out));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, out + "\n");
  EXPECT_EQ(runs_of(out).size(), 2U);
}

TEST_F(ReportTest, SaysWhatAFolderIsNot) {
  expect_failure(run_lathe("report " + quoted(own_.path().string())), 1,
                 own_.path().string() +
                     ": is no run's folder: expected result.json or train.json, as lathe run, "
                     "lathe specialize and lathe train --out leave them");
  EXPECT_EQ(run_lathe("report " + quoted((own_ / "none").string())).exit_code, 2);
}

}  // namespace
}  // namespace lathe::testing
