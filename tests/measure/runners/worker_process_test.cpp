#include "lathe/measure/runners/worker_process.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"

namespace lathe::measure {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;

/// Whether a process of that number is there, and not one that has ended unseen.
bool lives(int pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  return (stat >> number >> name >> state) && state != "Z";
}

int pid_in(const std::filesystem::path& file) {
  int pid = 0;
  std::ifstream(file) >> pid;
  return pid;
}

TEST(WorkerProcess, AnswersLineByLine) {
  const TemporaryFolder folder;
  WorkerProcess worker("while read -r line; do echo \"got $line\"; done", folder.path());
  for (const std::string line : {"one", "two words", "three"}) {
    worker.send(line, 10);
    EXPECT_EQ(worker.next_line(10), "got " + line);
  }
}

TEST(WorkerProcess, TakesLongLinesAndSeveralAtOnce) {
  const TemporaryFolder folder;
  WorkerProcess worker("while read -r line; do echo \"$line\"; echo; echo end; done",
                       folder.path());
  const std::string text(1 << 20, 'x');  // more than a pipe holds
  worker.send(text, 10);
  EXPECT_EQ(worker.next_line(10), text);
  EXPECT_EQ(worker.next_line(10), "");
  EXPECT_EQ(worker.next_line(10), "end");
}

TEST(WorkerProcess, SaysHowItEnded) {
  const TemporaryFolder folder;
  WorkerProcess worker("read -r line; echo 'no memory' >&2; exit 3", folder.path());
  worker.send("go", 10);
  EXPECT_EQ(text_thrown<Error>([&] { worker.next_line(10); }),
            "ended with exit status 3; its last words: no memory");
  EXPECT_EQ(text_thrown<Error>([&] { worker.send("again", 10); }), "has ended");
  EXPECT_EQ(text_thrown<Error>([&] { worker.next_line(10); }), "has ended");
}

TEST(WorkerProcess, WritingToOneThatHasEndedIsAnError) {
  const TemporaryFolder folder;
  WorkerProcess worker("exec <&-; echo closed; sleep 60", folder.path());
  EXPECT_EQ(worker.next_line(10), "closed");
  EXPECT_EQ(text_thrown<Error>([&] { worker.send("lost", 10); }).rfind("ended with exit status", 0),
            0U);
}

TEST(WorkerProcess, DoesNotWaitForever) {
  const TemporaryFolder folder;
  WorkerProcess silent("sleep 60", folder.path());
  EXPECT_EQ(text_thrown<Error>([&] { silent.next_line(0.2); }), "no answer within 0 s");
  WorkerProcess deaf("sleep 60", folder.path());
  EXPECT_EQ(text_thrown<Error>([&] { deaf.send(std::string(1 << 20, 'x'), 0.2); }),
            "does not read its requests");
}

TEST(WorkerProcess, IsEndedByTheEndOfItsInput) {
  const TemporaryFolder folder;
  const std::string mark = (folder / "mark").string();
  { const WorkerProcess worker("cat > /dev/null; touch '" + mark + "'", folder.path()); }
  EXPECT_TRUE(std::filesystem::exists(mark)) << "it was given the time to";
}

TEST(WorkerProcess, LeavesNothingBehind) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "pid";
  int pid = 0;
  {
    WorkerProcess worker("sleep 60 & echo $! > '" + file.string() + "'; echo; wait", folder.path());
    worker.next_line(10);
    pid = pid_in(file);
    ASSERT_TRUE(lives(pid));
  }
  for (int i = 0; i < 100 && lives(pid); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // until init has seen it
  }
  EXPECT_FALSE(lives(pid));
}

}  // namespace
}  // namespace lathe::measure
