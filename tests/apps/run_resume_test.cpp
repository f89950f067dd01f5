#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "apps/tiny_run.h"

namespace lathe {
namespace {

using lathe::testing::expect_failure;
using lathe::testing::lines_of;
using lathe::testing::Outcome;
using lathe::testing::quoted;
using lathe::testing::run_lathe;
using lathe::testing::start_lathe;
using lathe::testing::TinyRun;

constexpr double kEpochs = 8;
constexpr std::chrono::seconds kPatience{300};

/// Starts `lathe <arguments>`, and kills it once `path` exists.
void run_until_exists(const std::string& arguments, const std::filesystem::path& path) {
  const pid_t pid = start_lathe(arguments);
  ASSERT_GT(pid, 0);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!std::filesystem::exists(path) && std::chrono::steady_clock::now() < deadline &&
         ::waitpid(pid, nullptr, WNOHANG) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  ASSERT_TRUE(std::filesystem::exists(path));
}

TEST(RunTest, SurvivesBeingKilledAndAFullDisk) {
  const TinyRun tiny;
  const std::filesystem::path checkpoint = tiny.out("checkpoint/supernet.safetensors");
  const std::string options = tiny.options(tiny.out(), kEpochs);
  tiny.write_latency_table(tiny.out());
  run_until_exists(options, checkpoint);
  EXPECT_FALSE(std::filesystem::exists(tiny.out("accuracy_samples.jsonl")));

  expect_failure(run_lathe(options), 1,
                 tiny.out().string() +
                     ": holds a run already; add --resume to go on with it, or use another --out");
  const Outcome changed = run_lathe(options + " --resume --seed 1");
  EXPECT_EQ(changed.exit_code, 1);
  EXPECT_NE(changed.err.find("`seed=0`, this one `seed=1`"), std::string::npos) << changed.err;

  // Files may not grow beyond 100 KiB: as a full disk, it is the checkpoint that can't be written.
  const std::string before = read_file(checkpoint);
  const Outcome full = run_lathe(options + " --resume", "ulimit -f 200; ");
  expect_failure(full, 1, checkpoint.string() + ": cannot write: File too large",
                 /*after_progress=*/true);
  EXPECT_EQ(read_file(checkpoint), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(checkpoint.parent_path()), {}), 1);

  const Outcome resumed = run_lathe(options + " --resume --json");
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  const auto result = nlohmann::json::parse(resumed.out);
  EXPECT_EQ(result.at("targets").size(), 1U);
  EXPECT_EQ(result, read_json(tiny.out("result.json")));
  EXPECT_EQ(JsonLines(tiny.out("metrics.jsonl")).read().size(), static_cast<std::size_t>(kEpochs));

  // Bit for bit what a run gives that never stopped.
  const std::filesystem::path whole = tiny.folder() / "whole";
  tiny.write_latency_table(whole);
  const Outcome at_once = run_lathe(tiny.options(whole, kEpochs));
  ASSERT_EQ(at_once.exit_code, 0) << at_once.err;
  EXPECT_NE(at_once.out.find("within target?"), std::string::npos);
  EXPECT_EQ(read_file(whole / "checkpoint/supernet.safetensors"), read_file(checkpoint));
  EXPECT_EQ(read_file(whole / "accuracy_samples.jsonl"),
            read_file(tiny.out("accuracy_samples.jsonl")));
}

TEST(RunTest, TakesItsOptionsFromAFile) {
  const TinyRun tiny;
  // Targets that are left to the run are left out of what it writes down.
  const std::string options = tiny.options(tiny.out(), 0.2, "--num-targets 2");
  tiny.write_latency_table(tiny.out());
  ASSERT_EQ(run_lathe(options).exit_code, 0);
  // What a run writes down is what another can be given.
  const std::filesystem::path second = tiny.folder() / "second";
  tiny.write_latency_table(second);
  const Outcome outcome = run_lathe("run --config " + quoted(tiny.out("config.toml").string()) +
                                    " --out " + quoted(second.string()));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(read_file(second / "config.toml"), read_file(tiny.out("config.toml")));
  EXPECT_EQ(read_file(second / "checkpoint/supernet.safetensors"),
            read_file(tiny.out("checkpoint/supernet.safetensors")));
}

}  // namespace
}  // namespace lathe
