#include "lathe/measure/runners/process.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "core/temporary_folder.h"

namespace lathe::measure {
namespace {

using lathe::testing::TemporaryFolder;

TEST(RunProcessTest, GivesInputArgumentsAndOutput) {
  const TemporaryFolder folder;
  const ProcessResult result =
      run_process("read line; echo \"$line $1 $2\"; echo bad >&2; exit 3; :", {"a b", "c"},
                  "hello\n", 60, folder.path());
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.err, "bad\n");
  EXPECT_GT(result.wall_ms, 0);
}

TEST(RunProcessTest, AppendsTheArgumentsToTheCommand) {
  const TemporaryFolder folder;
  const ProcessResult result =
      run_process("printf '%s|'", {"a b", "$HOME'"}, "", 60, folder.path());
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "a b|$HOME'|");
}

TEST(RunProcessTest, EndsWhatTakesTooLongWithAllItHasStarted) {
  const TemporaryFolder folder;
  const std::string mark = (folder / "mark").string();
  const ProcessResult result =
      run_process("(sleep 2; touch '" + mark + "') & sleep 60; :", {}, "", 0.3, folder.path());
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_code, 128 + 9);
  EXPECT_LT(result.wall_ms, 30e3);
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST(RunProcessTest, SaysWhichSignalEndedIt) {
  const TemporaryFolder folder;
  EXPECT_EQ(run_process("kill -TERM $$; :", {}, "", 60, folder.path()).exit_code, 128 + 15);
}

TEST(RunProcessTest, EndsWhatPrintsWithoutEnd) {
  const TemporaryFolder folder;
  const ProcessResult result = run_process("yes", {}, "", 300, folder.path());
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 128 + 9);
  EXPECT_LE(result.out.size(), std::size_t{64} << 20);
}

}  // namespace
}  // namespace lathe::measure
