// What the program does to its files when it is interrupted, or when there is nowhere to write to.
// docs/reliability.md promises what is tested here.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "apps/program.h"
#include "apps/synthetic_model_files.h"
#include "apps/tiny_run.h"
#include "lathe/latency/samples/sample_plan.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe::testing {
namespace {

constexpr std::chrono::seconds kPatience{300};
/// Files may not grow beyond 1 KiB, as on a full disk.
const std::string kFullDisk = "ulimit -f 2; ";

/// A file system of `options` mounted at `folder`, that the program alone sees, for run_lathe().
std::string mounted(const std::filesystem::path& folder, const std::string& options) {
  return "exec unshare -m sh -c 'mount -t tmpfs -o " + options + " none " + folder.string() +
         " && \"$@\"' sh ";
}

bool can_mount() { return std::system("unshare -m true 2> /dev/null") == 0; }

/// Starts `lathe <arguments>` and calls `then` once `path` exists; what the program ended by.
template <typename Then>
int run_until_exists(const std::string& arguments, const std::filesystem::path& path, Then then) {
  const pid_t pid = start_lathe(arguments);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  int status = 0;
  while (!std::filesystem::exists(path) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  then(pid);
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Expects the nets of the plan, each once and in its place.
void expect_whole(const std::filesystem::path& file, int samples) {
  const auto space = space::make_space("mbv3_28");
  const auto measured = latency::read_samples(file, *space).samples;
  const auto plan = latency::sample_plan(*space, {.samples = samples});
  ASSERT_EQ(measured.size(), plan.size());
  for (std::size_t i = 0; i < plan.size(); ++i) {
    EXPECT_EQ(measured[i].arch, plan[i]);
  }
}

TEST(ReliabilityTest, AnInterruptedMeasurementGoesOn) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const TemporaryFolder folder;
    const std::filesystem::path out = folder / "samples.jsonl";
    const int ended =
        run_until_exists(quick_samples(3000, out), out, [&](pid_t pid) { ::kill(pid, signal); });
    EXPECT_EQ(ended, 128 + signal);
    const std::size_t measured = lines_of(read_file(out)).size();
    ASSERT_LT(measured, 3000U);
    const int samples = static_cast<int>(measured) + 5;
    const Outcome rest = run_lathe(quick_samples(samples, out));
    ASSERT_EQ(rest.exit_code, 0) << rest.err;
    expect_whole(out, samples);
  }
}

TEST(ReliabilityTest, AnInterruptedTrainingGivesTheSameWeights) {
  const TinyRun tiny;
  const auto train = [&](const std::filesystem::path& out) {
    return "train --data-dir " + quoted(tiny.data().string()) + " --out " + quoted(out.string()) +
           " --epochs 3 --validation-size 100 --batch-size 50 --train-threads 1";
  };
  const std::string weights = "checkpoint/supernet.safetensors";
  ASSERT_EQ(run_lathe(train(tiny.folder() / "whole")).exit_code, 0);
  const std::string whole = read_file(tiny.folder() / ("whole/" + weights));
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::filesystem::path out = tiny.folder() / std::to_string(signal);
    const int ended =
        run_until_exists(train(out), out / weights, [&](pid_t pid) { ::kill(pid, signal); });
    EXPECT_EQ(ended, 128 + signal);
    const Outcome rest = run_lathe(train(out) + " --resume");
    ASSERT_EQ(rest.exit_code, 0) << rest.err;
    EXPECT_EQ(read_file(out / weights), whole);
  }
}

TEST(ReliabilityTest, AMeasurementGoesOnAfterAFullDisk) {
  const TemporaryFolder folder;
  const std::filesystem::path out = folder / "samples.jsonl";
  expect_failure(run_lathe(quick_samples(20, out), kFullDisk), 1,
                 out.string() + ": cannot write: File too large", /*after_progress=*/true);
  const std::string before = read_file(out);
  EXPECT_TRUE(before.ends_with("\n")) << "no line is half written";
  const Outcome rest = run_lathe(quick_samples(20, out));
  ASSERT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_EQ(read_file(out).substr(0, before.size()), before);
  expect_whole(out, 20);
}

TEST(ReliabilityTest, AMeasurementWhoseFolderVanishesEnds) {
  const TemporaryFolder folder;
  const std::filesystem::path out = folder / "gone/samples.jsonl";
  const int ended = run_until_exists(quick_samples(3000, out), out, [&](pid_t) {
    while (lines_of(read_file(out)).empty()) {  // made, with nothing in it yet
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    std::filesystem::remove_all(out.parent_path());
  });
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(std::filesystem::exists(out)) << "half of a file is worse than none";
}

TEST(ReliabilityTest, NothingIsAnsweredWhereNothingCanBeWritten) {
  const TemporaryFolder folder;
  const auto space = space::open_space("mbv3_28");
  const SyntheticModelFiles models = write_synthetic_models(*space, folder.path());
  const TinyRun tiny;
  const std::string out = folder.path().string() + "/disk/out";
  std::filesystem::create_directories(folder / "disk");
  const std::string search = "search --space mbv3_28 --latency " + quoted(models.latency.string()) +
                             " --accuracy " + quoted(models.accuracy.string()) +
                             " --targets 1000 --population 10 --generations 2 --out " + quoted(out);
  const std::string train = "train --data-dir " + quoted(tiny.data().string()) +
                            " --epochs 1 --validation-size 100 --out " + quoted(out);
  if (!can_mount()) {
    GTEST_SKIP() << "needs the right to mount a tmpfs";
  }
  for (const std::string& command : {search, train, quick_samples(100, out + "/samples.jsonl")}) {
    const Outcome refused = run_lathe(command, mounted(folder / "disk", "ro"));
    EXPECT_EQ(refused.exit_code, 1) << command;
    EXPECT_EQ(refused.out, "");
    EXPECT_NE(refused.err.find("Read-only file system"), std::string::npos) << refused.err;
    const Outcome full = run_lathe(command, mounted(folder / "disk", "size=4k"));
    EXPECT_EQ(full.exit_code, 1) << command;
    EXPECT_NE(full.err.find("No space left on device"), std::string::npos) << full.err;
  }
}

}  // namespace
}  // namespace lathe::testing
