#include "lathe/run/run_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::run {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;

/// A folder whose run has got somewhere.
void begin_run(const std::filesystem::path& root, const std::string& config) {
  write_file_atomic(RunFolder::open(root, config, false).latency_model(), "{}");
}

constexpr const char* kConfig = "[run]\nspace=\"mbv3_28\"\nseed=0\n";

std::string failure(const std::filesystem::path& root, const std::string& config, bool resume) {
  return text_thrown<Error>([&] { RunFolder::open(root, config, resume); });
}

TEST(RunFolderTest, MakesTheFolderAndKeepsTheConfig) {
  const TemporaryFolder temporary;
  const RunFolder folder = RunFolder::open(temporary / "a/b", kConfig, false);
  EXPECT_EQ(folder.root(), temporary / "a/b");
  EXPECT_EQ(read_file(temporary / "a/b/config.toml"), kConfig);
  for (const auto& path :
       {folder.latency_model(), folder.latency_samples(), folder.accuracy_samples(),
        folder.accuracy_predictor(), folder.result()}) {
    EXPECT_EQ(path.parent_path(), folder.root());
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(folder.begun());
  EXPECT_EQ(folder.space_file(), folder.root() / "space.json");
  EXPECT_EQ(folder.net("0.5ms"), folder.root() / "nets" / "0.5ms");
}

TEST(RunFolderTest, ARunIsGoneOnWithOnlyOnRequest) {
  const TemporaryFolder temporary;
  begin_run(temporary / "out", kConfig);
  EXPECT_EQ(failure(temporary / "out", kConfig, false),
            (temporary / "out").string() +
                ": holds a run already; add --resume to go on with it, or use another --out");
  EXPECT_TRUE(RunFolder::open(temporary / "out", kConfig, true).begun());
}

TEST(RunFolderTest, ResumingNothingIsBeginning) {
  const TemporaryFolder temporary;
  RunFolder::open(temporary / "out", kConfig, true);
  EXPECT_EQ(read_file(temporary / "out/config.toml"), kConfig);
}

TEST(RunFolderTest, ARunThatGotNowhereIsBegunAnew) {
  const TemporaryFolder temporary;
  {
    const RunFolder before =
        RunFolder::open(temporary / "out", "[run]\ndata-dir=\"mistyped\"\n", false);
    write_file_atomic(before.space_file(), "{}");
    EXPECT_EQ(failure(temporary / "out", kConfig, false),
              (temporary / "out").string() +
                  ": another process is writing it; wait for that, or name another");
  }
  EXPECT_FALSE(RunFolder::open(temporary / "out", kConfig, false).begun());
  EXPECT_EQ(read_file(temporary / "out/config.toml"), kConfig);
}

TEST(RunFolderTest, AnotherConfigIsRefusedWithTheFirstLineThatDiffers) {
  const TemporaryFolder temporary;
  begin_run(temporary / "out", kConfig);
  const std::string begin = (temporary / "out/config.toml").string() + ": the run there has ";
  const std::string end = "; use the same options or another --out";
  EXPECT_EQ(failure(temporary / "out", "[run]\nspace=\"mbv3_28\"\nseed=1\n", true),
            begin + "`seed=0`, this one `seed=1`" + end);
  EXPECT_EQ(failure(temporary / "out", "[run]\nspace=\"mbv3_28\"\n", true),
            begin + "`seed=0`, this one ``" + end);
  EXPECT_EQ(failure(temporary / "out", std::string(kConfig) + "threads=2\n", true),
            begin + "``, this one `threads=2`" + end);
  EXPECT_EQ(read_file(temporary / "out/config.toml"), kConfig);
}

TEST(RunFolderTest, OtherTargetsAreAskedOfTheSameRun) {
  const TemporaryFolder temporary;
  begin_run(temporary / "out", kConfig);
  for (const std::string targets : {"targets=[0.3, 0.5]\n", "targets=[0.4]\nnum-targets=3\n", ""}) {
    const std::string config = std::string("[run]\n") + targets + "space=\"mbv3_28\"\nseed=0\n";
    EXPECT_TRUE(RunFolder::open(temporary / "out", config, true).begun());
    EXPECT_EQ(read_file(temporary / "out/config.toml"), config);
  }
}

TEST(RunFolderTest, SaysWhyAFolderCannotBeMade) {
  const TemporaryFolder temporary;
  write_file_atomic(temporary / "file", "not a folder");
  const std::string inside = failure(temporary / "file/out", kConfig, false);
  EXPECT_EQ(inside, (temporary / "file/out").string() +
                        ": cannot make the output folder: Not a directory; choose another --out");
  const std::string itself = failure(temporary / "file", kConfig, false);
  EXPECT_EQ(itself, (temporary / "file").string() +
                        ": cannot make the output folder: Not a directory; choose another --out");
  EXPECT_EQ(read_file(temporary / "file"), "not a folder");
}

}  // namespace
}  // namespace lathe::run
