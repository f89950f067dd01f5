#include <signal.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "apps/program.h"
#include "lathe/latency/block_table.h"
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

TEST(LatencyGenerateTest, SaysWhatIsMissing) {
  expect_failure(run_lathe("latency"), 2, "A subcommand is required (see lathe --help)");
  expect_failure(run_lathe("latency generate --space mbv3_28 --blocks"), 2,
                 "--out is required (see lathe --help)");
}

}  // namespace
}  // namespace lathe::testing
