// lathe train by several processes, as a launcher starts them.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/tiny_run.h"
#include "dist/ranks.h"
#include "lathe/core/file.h"
#include "lathe/dist/process_group.h"

namespace lathe {
namespace {

using lathe::testing::free_port;
using lathe::testing::last_line;
using lathe::testing::Process;
using lathe::testing::rank_variables;
using lathe::testing::Variables;

class TrainDistributedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!dist::ProcessGroup::available(c10::DeviceType::CPU)) GTEST_SKIP() << "built without Gloo";
  }

  std::string out(const std::string& name) const { return (tiny_.folder() / name).string(); }

  /// How each of `world_size` processes ends that train into `name`; `of_last` are more arguments
  /// of the last.
  std::vector<Process::Result> train(const std::string& name, int world_size,
                                     const std::vector<std::string>& more = {},
                                     const std::vector<std::string>& of_last = {}) const {
    std::vector<std::unique_ptr<Process>> processes;
    const int port = free_port();
    for (int rank = 0; rank < world_size; ++rank) {
      std::vector<std::string> words{
          LATHE_PROGRAM,  "train",  "--data-dir",        tiny_.data().string(),
          "--space",      space_,   "--validation-size", "100",
          "--batch-size", "50",     "--train-threads",   std::to_string(2 / world_size),
          "--out",        out(name)};
      words.insert(words.end(), more.begin(), more.end());
      if (rank == world_size - 1) words.insert(words.end(), of_last.begin(), of_last.end());
      processes.push_back(std::make_unique<Process>(
          words, world_size == 1 ? Variables{} : rank_variables(rank, world_size, port)));
    }
    std::vector<Process::Result> results;
    for (const auto& process : processes) {
      results.push_back(process->wait(300));
    }
    return results;
  }

  testing::TinyRun tiny_;
  std::string space_ = "mbv3_28";
};

TEST_F(TrainDistributedTest, GivesWhatOneProcessGives) {
  const std::vector<std::string> more{"--epochs", "0.5"};
  for (const auto& [name, world_size] : {std::pair{"one", 1}, std::pair{"two", 2}}) {
    const std::vector<Process::Result> results = train(name, world_size, more);
    for (std::size_t rank = 0; rank < results.size(); ++rank) {
      EXPECT_EQ(results[rank].exit_code, 0) << results[rank].err;
      EXPECT_TRUE(rank == 0 || results[rank].err.empty()) << "only rank 0 speaks";
    }
  }
  for (const std::string file :
       {"/checkpoint/supernet.safetensors", "/train.json", "/result.json"}) {
    EXPECT_TRUE(read_file(out("one") + file) == read_file(out("two") + file)) << file;
  }
  for (const Process::Result& result : train("two", 2, more)) {
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(last_line(result.err),
              "lathe: " + out("two") +
                  ": holds a run already; add --resume to go on with it, or use another --out");
  }
}

TEST_F(TrainDistributedTest, SearchesTheCellsThatOneProcessFinds) {
  space_ = "darts_c8_l3";
  const std::vector<std::string> more{
      "--method", "pc-darts", "--epochs", "0.5", "--image-size", "16", "--first-logits-epoch",
      "0.2"};
  for (const auto& [name, world_size] : {std::pair{"one", 1}, std::pair{"two", 2}}) {
    const std::vector<Process::Result> results = train(name, world_size, more);
    for (std::size_t rank = 0; rank < results.size(); ++rank) {
      EXPECT_EQ(results[rank].exit_code, 0) << results[rank].err;
      EXPECT_TRUE(rank == 0 || results[rank].err.empty()) << "only rank 0 speaks";
    }
  }
  for (const std::string file : {"/checkpoint/supernet.safetensors", "/train.json", "/cells.json",
                                 "/genotype.json", "/result.json"}) {
    EXPECT_TRUE(read_file(out("one") + file) == read_file(out("two") + file)) << file;
  }
}

TEST_F(TrainDistributedTest, ResolvesABudgetOnceForAll) {
  for (const Process::Result& result :
       train("budget", 2, {"--method", "plain", "--budget", "1s"})) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
  EXPECT_TRUE(std::filesystem::exists(out("budget") + "/weights.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(out("budget") + "/pace"));
}

TEST_F(TrainDistributedTest, RefusesRanksThatDiffer) {
  for (const Process::Result& result :
       train("differ", 2, {"--epochs", "0.5"}, {"--label-smoothing", "0.2"})) {
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(last_line(result.err),
              "lathe: rank 1 has label_smoothing = 0.2, rank 0 has 0.1; start every rank with the "
              "same version and options");
  }
}

TEST_F(TrainDistributedTest, NamesAVariableThatIsMissing) {
  Process process({LATHE_PROGRAM, "train", "--out", out("x")}, {{"RANK", "0"}});
  const Process::Result result = process.wait();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err,
            "lathe: WORLD_SIZE is not set, though RANK is \"0\"; start all processes by torchrun, "
            "or unset its variables to run in one\n");
  EXPECT_FALSE(std::filesystem::exists(out("x")));
}

}  // namespace
}  // namespace lathe
