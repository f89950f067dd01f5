#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <set>
#include <thread>

#include "apps/program.h"
#include "lathe/core/random.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/latency/samples/sample_plan.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe::testing {
namespace {

const std::string kQuickBlocks =
    "latency generate --space mbv3_28 --blocks --layout nchw --warmup 1 --rounds 2 --runs 2 "
    "--group 4 --out ";

TEST(LatencyGenerateTest, GivesATableOfEveryBlock) {
  const TemporaryFolder temporary;
  const std::filesystem::path out = temporary / "table.json";
  const Outcome outcome = run_lathe(kQuickBlocks + quoted(out.string()));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto space = space::make_space("mbv3_28");
  const auto table = latency::BlockTable::load(*space, out);
  EXPECT_TRUE(table.missing_keys().empty());
  EXPECT_GT(table.predict_ms(space->largest()), table.predict_ms(space->smallest()));

  const std::string measured = read_file(out.string() + ".blocks.jsonl");
  const Outcome again = run_lathe(kQuickBlocks + quoted(out.string()));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(read_file(out.string() + ".blocks.jsonl"), measured);  // nothing left to do
}

TEST(LatencyGenerateTest, RefusesOtherConditionsAndForeignTables) {
  const TemporaryFolder temporary;
  const std::filesystem::path out = temporary / "table.json";
  ASSERT_EQ(run_lathe(kQuickBlocks + quoted(out.string())).exit_code, 0);
  expect_failure(run_lathe(kQuickBlocks + quoted(out.string()) + " --batch 2"), 1,
                 out.string() +
                     ".blocks.jsonl: measured under other conditions: batch: 1 against 2; name "
                     "another file");
  std::filesystem::remove(out.string() + ".blocks.jsonl");
  expect_failure(run_lathe(kQuickBlocks + quoted(out.string())), 1,
                 out.string() + ": exists, and " + out.string() +
                     ".blocks.jsonl with its measurements does not; name another file");
}

TEST(LatencyGenerateTest, ADryRunSaysWhatItWouldTakeAndWritesNothing) {
  const TemporaryFolder temporary;
  const std::filesystem::path out = temporary / "out";
  for (const std::string& command :
       {quick_samples(400, out), kQuickBlocks + quoted(out.string())}) {
    const Outcome outcome = run_lathe(command + " --dry-run");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("to measure, about "), std::string::npos) << outcome.out;
    EXPECT_TRUE(std::filesystem::is_empty(temporary.path()));
  }
}

TEST(LatencyGenerateTest, TwoProcessesDontWriteOneFile) {
  const TemporaryFolder temporary;
  const std::filesystem::path out = temporary / "samples.jsonl";
  const FileLock other(out);
  expect_failure(run_lathe(quick_samples(2, out)), 1,
                 out.string() + ": another process is writing it; wait for that, or name another");
}

/// Starts `lathe <arguments>` and kills it with no warning after `ms`.
void run_and_kill(const std::string& arguments, double ms) {
  const pid_t pid = start_lathe(arguments);
  ASSERT_GT(pid, 0);
  std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(ms));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

// LATHE_KILLS=50 for the whole of it.
TEST(LatencyGenerateTest, LosesAndDoublesNothingWhenKilledAtAnyMoment) {
  const char* const kills_text = std::getenv("LATHE_KILLS");
  const int kills = kills_text != nullptr ? std::atoi(kills_text) : 5;
  const TemporaryFolder temporary;
  const std::filesystem::path out = temporary / "samples.jsonl";
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(run_lathe(quick_samples(60, temporary / "whole.jsonl")).exit_code, 0);
  const double whole_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  const auto space = space::make_space("mbv3_28");
  Rng rng(static_cast<std::uint64_t>(::getpid()));
  int samples = 60;
  std::string before;
  int grew = 0;
  for (int kill = 0; kill < kills; ++kill) {
    run_and_kill(quick_samples(samples, out), whole_ms * rng.uniform());
    const std::string now = std::filesystem::exists(out) ? read_file(out) : "";
    const std::string complete = before.substr(0, before.rfind('\n') + 1);
    ASSERT_EQ(now.substr(0, complete.size()), complete);  // nothing is lost or rewritten
    grew += now.size() > before.size() ? 1 : 0;
    before = now;
    if (lines_of(now).size() > static_cast<std::size_t>(samples)) {
      samples += 60;  // finished: more of them
    }
  }
  ASSERT_EQ(run_lathe(quick_samples(samples, out)).exit_code, 0);
  const auto measured = latency::read_samples(out, *space).samples;
  const auto plan = latency::sample_plan(*space, {.samples = samples});
  ASSERT_EQ(measured.size(), plan.size());
  for (std::size_t i = 0; i < plan.size(); ++i) {
    EXPECT_EQ(measured[i].arch, plan[i]);  // each once and in its place
  }
  RecordProperty("kills", kills);
  RecordProperty("kills_while_measuring", grew);
}

TEST(LatencyGenerateTest, ShardsMergeIntoTheWholePlan) {
  const TemporaryFolder temporary;
  std::string files;
  for (const char* const shard : {"0", "1"}) {
    const std::filesystem::path out = temporary / (std::string("shard") + shard + ".jsonl");
    files += " " + quoted(out.string());
    const Outcome outcome = run_lathe(quick_samples(5, out) + " --biased --shard " + shard + "/2");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  const std::filesystem::path merged = temporary / "merged.jsonl";
  const Outcome outcome = run_lathe("latency merge --out " + quoted(merged.string()) + files);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err,
            "5 measurements in " + merged.string() + "; 0 were there twice and kept once\n");
  const auto space = space::make_space("mbv3_28");
  const auto plan = latency::sample_plan(*space, {.samples = 5, .biased = true});
  const auto samples = latency::read_samples(merged, *space).samples;
  ASSERT_EQ(samples.size(), 5U);
  const std::vector<std::size_t> order{0, 2, 4, 1, 3};
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(samples[i].arch, plan[order[i]]);
  }
}

TEST(LatencyGenerateTest, RefusesAnotherPlanForTheSameFile) {
  const TemporaryFolder temporary;
  const std::filesystem::path out = temporary / "samples.jsonl";
  ASSERT_EQ(run_lathe(quick_samples(2, out)).exit_code, 0);
  expect_failure(run_lathe(quick_samples(4, out) + " --seed 3"), 1,
                 out.string() +
                     ": sample 1 is another net than planned; give the same --seed, --biased, "
                     "--shard and resolutions as before, or name another file");
  expect_failure(run_lathe(quick_samples(4, out) + " --shard 2/2"), 1,
                 "--shard: expected i/n with 0 <= i < n, such as 0/4, got \"2/2\"");
}

TEST(LatencyGenerateTest, SaysWhatIsMissing) {
  expect_failure(run_lathe("latency"), 2, "A subcommand is required (see lathe --help)");
  expect_failure(run_lathe("latency generate --space mbv3_28 --blocks"), 2,
                 "--out is required (see lathe --help)");
}

}  // namespace
}  // namespace lathe::testing
