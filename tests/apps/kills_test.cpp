// Every long command, killed with no warning at random moments and started again: what it leaves in
// the end is what one gives that was left alone. LATHE_KILLS=20 for twenty kills of each.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "apps/tiny_run.h"
#include "lathe/core/random.h"

namespace lathe::testing {
namespace {

constexpr int kKillsByDefault = 2;

/// A command that goes on with what it finds in its folder.
struct LongCommand {
  std::function<std::string(const std::filesystem::path& folder)> arguments;
  /// What is put into the folder before: may be empty.
  std::function<void(const std::filesystem::path& folder)> prepare;
  std::string last_file;                ///< that it writes when it is done
  std::vector<std::string> same_files;  ///< byte for byte, in the folder
};

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// What ends `lathe <arguments>` if nothing did before `seconds` have passed; whether it was that.
bool killed_after(const std::string& arguments, double seconds) {
  const pid_t pid = start_lathe(arguments);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << arguments;
  return WIFSIGNALED(status);
}

class EndsTheSame : public ::testing::Test {
 protected:
  void when_killed_at_any_moment(const LongCommand& command) {
    const std::filesystem::path whole = folder_ / "whole";
    command.prepare(whole);
    const double whole_s = seconds_of([&] {
      const Outcome outcome = run_lathe(command.arguments(whole));
      ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    });
    const char* const kills_text = std::getenv("LATHE_KILLS");
    const int kills = kills_text != nullptr ? std::atoi(kills_text) : kKillsByDefault;
    Rng rng(static_cast<std::uint64_t>(::getpid()));
    int killed = 0;
    for (int attempt = 0; killed < kills; ++attempt) {
      const std::filesystem::path out = folder_ / std::to_string(attempt);
      command.prepare(out);
      // A few kills of each run, then it may end.
      for (int i = 0; i < 4 && !std::filesystem::exists(out / command.last_file); ++i) {
        killed += killed_after(command.arguments(out), whole_s * rng.uniform()) ? 1 : 0;
      }
      const Outcome rest = run_lathe(command.arguments(out));
      ASSERT_EQ(rest.exit_code, 0) << rest.err;
      for (const std::string& file : command.same_files) {
        EXPECT_EQ(read_file(out / file), read_file(whole / file)) << file;
      }
    }
    RecordProperty("kills", killed);
  }

  std::string train(const std::filesystem::path& out, const std::string& more) const {
    return "train --data-dir " + quoted(tiny_.data().string()) + " --out " + quoted(out.string()) +
           " --validation-size 100 --batch-size 50 --train-threads 1 --resume " + more;
  }

  TinyRun tiny_;
  const TemporaryFolder& folder_ = tiny_.folder();
};

void nothing_before(const std::filesystem::path&) {}

TEST_F(EndsTheSame, TrainWhenKilledAtAnyMoment) {
  when_killed_at_any_moment(
      {.arguments = [&](const auto& out) { return train(out, "--method deps --epochs 8"); },
       .prepare = nothing_before,
       .last_file = "result.json",
       .same_files = {"checkpoint/supernet.safetensors", "result.json"}});
}

TEST_F(EndsTheSame, ASearchOfCellsWhenKilledAtAnyMoment) {
  when_killed_at_any_moment(
      {.arguments =
           [&](const auto& out) {
             return train(out,
                          "--method pc-darts --space darts_c8_l3 --shards 1 --epochs 4 "
                          "--first-logits-epoch 0");
           },
       .prepare = nothing_before,
       .last_file = "result.json",
       .same_files = {"checkpoint/supernet.safetensors", "cells.json", "result.json"}});
}

TEST_F(EndsTheSame, ARunWhenKilledAtAnyMoment) {
  when_killed_at_any_moment(
      {.arguments = [&](const auto& out) { return tiny_.options(out, 8) + " --resume"; },
       .prepare = [&](const auto& out) { tiny_.write_latency_table(out); },
       .last_file = "result.json",
       .same_files = {"checkpoint/supernet.safetensors", "accuracy_samples.jsonl",
                      "nets/1000ms/arch.json", "nets/1000ms/weights.safetensors"}});
}

TEST_F(EndsTheSame, CollectingAccuraciesWhenKilledAtAnyMoment) {
  const std::filesystem::path trained = folder_ / "trained";
  ASSERT_EQ(run_lathe(train(trained, "--method deps --epochs 0.2")).exit_code, 0);
  when_killed_at_any_moment(
      {.arguments =
           [&](const auto& out) {
             return "accuracy collect --threads 1 --samples 40 --from " + quoted(trained.string()) +
                    " --out " + quoted((out / "s.jsonl").string());
           },
       .prepare = [](const auto& out) { std::filesystem::create_directories(out); },
       .last_file = "none",
       .same_files = {"s.jsonl"}});
}

TEST_F(EndsTheSame, SpecializeWhenKilledAtAnyMoment) {
  const std::filesystem::path run = folder_ / "run";
  tiny_.write_latency_table(run);
  ASSERT_EQ(run_lathe(tiny_.options(run)).exit_code, 0);
  when_killed_at_any_moment(
      {.arguments =
           [&](const auto& out) {
             return "specialize --from " + quoted(run.string()) + " --latency " +
                    quoted((run / "latency.json").string()) + " --out " + quoted(out.string()) +
                    " --targets 500,1000 --eval-threads 1 --candidates 3 --evaluations 160 "
                    "--resume";
           },
       .prepare = nothing_before,
       .last_file = "result.json",
       .same_files = {"nets/1000ms/arch.json", "nets/1000ms/weights.safetensors"}});
}

}  // namespace
}  // namespace lathe::testing
