// Training by several processes gives what one process gives, to the bit, whatever happens to them.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/temporary_folder.h"
#include "dist/ranks.h"
#include "lathe/core/file.h"
#include "lathe/core/random.h"
#include "lathe/dist/process_group.h"
#include "lathe/train/trainer.h"

namespace lathe::train {
namespace {

namespace fs = std::filesystem;
using lathe::testing::free_port;
using lathe::testing::last_line;
using lathe::testing::Process;
using lathe::testing::rank_variables;
using lathe::testing::TemporaryFolder;
using lathe::testing::Variables;
using Ranks = std::vector<std::unique_ptr<Process>>;

class Distributed : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!dist::ProcessGroup::available(c10::DeviceType::CPU)) GTEST_SKIP() << "built without Gloo";
  }

  /// Starts a job that trains in `folder`. `changes` are of the last rank alone, if that is asked.
  static Ranks start(const fs::path& folder, int world_size, int shards,
                     const nlohmann::json& more = {}, const nlohmann::json& of_last = {}) {
    Ranks ranks;
    const int port = free_port();
    for (int rank = 0; rank < world_size; ++rank) {
      nlohmann::json options{{"folder", folder.string()},
                             {"out", (folder / ("out." + std::to_string(rank))).string()},
                             {"shards", shards}};
      if (!more.is_null()) options.update(more);
      if (!of_last.is_null() && rank == world_size - 1) options.update(of_last);
      ranks.push_back(std::make_unique<Process>(
          std::vector<std::string>{LATHE_TRAIN_WORKER, options.dump()},
          world_size == 1 ? Variables{} : rank_variables(rank, world_size, port)));
    }
    return ranks;
  }

  static void expect_success(const Ranks& ranks) {
    for (const auto& rank : ranks) {
      const Process::Result result = rank->wait(300);
      EXPECT_EQ(result.exit_code, 0) << result.err;
    }
  }

  static void expect_failure(const Ranks& ranks, const std::string& text) {
    for (const auto& rank : ranks) {
      const Process::Result result = rank->wait();
      EXPECT_EQ(result.exit_code, 1);
      EXPECT_EQ(last_line(result.err), text);
    }
  }

  static void run(const fs::path& folder, int world_size, int shards,
                  const nlohmann::json& more = {}, const nlohmann::json& of_last = {}) {
    expect_success(start(folder, world_size, shards, more, of_last));
  }

  static std::string checkpoint(const fs::path& folder) {
    return read_file(checkpoint_path(folder));
  }

  /// The metrics without what depends on the clock.
  static std::vector<nlohmann::json> metrics(const fs::path& folder) {
    std::vector<nlohmann::json> lines = JsonLines(folder / "metrics.jsonl").read();
    for (nlohmann::json& line : lines) line.erase("images_per_s");
    return lines;
  }

  /// Checkpoint, metrics, and the weights that each rank has at the end.
  static void expect_same(const fs::path& folder, int world_size, const fs::path& whole) {
    EXPECT_TRUE(checkpoint(folder) == checkpoint(whole)) << "the checkpoints differ";
    EXPECT_EQ(metrics(folder), metrics(whole));
    for (int rank = 0; rank < world_size; ++rank) {
      EXPECT_TRUE(read_file(folder / ("out." + std::to_string(rank))) == read_file(whole / "out.0"))
          << "the weights of rank " << rank << " differ";
    }
  }

  /// A run of one process without interruption, made once for each count of shards and options.
  static const fs::path& whole(int shards, const nlohmann::json& more = {}) {
    static std::map<std::string, TemporaryFolder> folders;
    const std::string name = std::to_string(shards) + more.dump();
    const bool made = folders.contains(name);
    const fs::path& folder = folders[name].path();
    if (!made) run(folder, 1, shards, more);
    return folder;
  }

  TemporaryFolder folder_;
};

struct World {
  int size;
  int shards;  // of all ranks
};

class Worlds : public Distributed, public ::testing::WithParamInterface<World> {};

TEST_P(Worlds, GiveWhatOneProcessGives) {
  const auto [size, shards] = GetParam();
  // One bucket for all; many, some of them smaller than a parameter.
  for (const int bucket_bytes : {1 << 20, 4000}) {
    SCOPED_TRACE(bucket_bytes);
    const TemporaryFolder folder;
    run(folder.path(), size, shards, {{"bucket_bytes", bucket_bytes}});
    expect_same(folder.path(), size, whole(shards));
  }
}

TEST_P(Worlds, FindTheCellsThatOneProcessFinds) {
  const auto [size, shards] = GetParam();
  for (const bool second_order : {false, true}) {
    SCOPED_TRACE(second_order);
    const nlohmann::json more{{"cells", true}, {"second_order", second_order}};
    const TemporaryFolder folder;
    run(folder.path(), size, shards, more);
    expect_same(folder.path(), size, whole(shards, more));
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Worlds, ::testing::Values(World{2, 2}, World{2, 4}, World{4, 4}),
                         [](const auto& param) {
                           return std::to_string(param.param.size) + "x" +
                                  std::to_string(param.param.shards / param.param.size);
                         });

TEST_F(Distributed, ShardsMatter) {
  EXPECT_FALSE(checkpoint(whole(2)) == checkpoint(whole(4)));  // or the tests above could not fail
}

TEST_F(Distributed, OnlyRank0SeesTheFolder) {
  Ranks ranks = start(folder_.path(), 2, 2, {{"checkpoint_steps", 5}});
  while (!fs::exists(checkpoint_path(folder_.path()))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ranks[1]->kill(SIGKILL);
  ranks[0]->wait();
  const nlohmann::json elsewhere{{"folder", "/nowhere"}, {"seed", 99}};
  run(folder_.path(), 2, 2, {}, elsewhere);
  expect_same(folder_.path(), 2, whole(2));
}

TEST_F(Distributed, GoesOnWithAnotherNumberOfProcesses) {
  Ranks ranks = start(folder_.path(), 2, 4, {{"checkpoint_steps", 5}});
  while (!fs::exists(checkpoint_path(folder_.path()))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ranks[0]->kill(SIGKILL);
  ranks[1]->wait();
  run(folder_.path(), 4, 4);
  expect_same(folder_.path(), 4, whole(4));
}

TEST_F(Distributed, ASearchGoesOnWithWhatRank0Has) {
  const nlohmann::json more{{"cells", true}, {"checkpoint_s", 0}};
  Ranks ranks = start(folder_.path(), 2, 2, more);
  while (!fs::exists(checkpoint_path(folder_.path()))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ranks[1]->kill(SIGKILL);
  ranks[0]->wait();
  run(folder_.path(), 2, 2, more, {{"folder", "/nowhere"}, {"seed", 99}});
  expect_same(folder_.path(), 2, whole(2, {{"cells", true}, {"second_order", false}}));
}

TEST_F(Distributed, ASearchRefusesRanksThatDiffer) {
  expect_failure(start(folder_.path(), 2, 2, {{"cells", true}}, {{"epochs", 4}}),
                 "rank 1 has epochs = 4.0, rank 0 has 3.0; start every rank with the same version "
                 "and options");
  EXPECT_EQ(folder_.count(), 0) << "something was written";
}

TEST_F(Distributed, RefusesRanksThatDiffer) {
  const std::string next = "; start every rank with the same version and options";
  expect_failure(start(folder_.path(), 2, 2, {}, {{"batch_size", 32}}),
                 "rank 1 has batch_size = 32, rank 0 has 16" + next);
  expect_failure(start(folder_.path(), 2, 2, {}, {{"epochs", 7}}),
                 "rank 1 has total_steps = 56, rank 0 has 48" + next);
  expect_failure(start(folder_.path(), 2, 2, {}, {{"learning_rate", 0.5}}),
                 "rank 1 has strategy = {\"learning_rate\":0.5,\"method\":\"everything\"}, rank 0 "
                 "has {\"learning_rate\":0.05,\"method\":\"everything\"}" +
                     next);
  EXPECT_EQ(folder_.count(), 0) << "something was written";
}

TEST_F(Distributed, RefusesShardsThatCannotBeShared) {
  expect_failure(start(folder_.path(), 2, 3),
                 "--shards 3 can't be shared evenly by 2 processes; make it a multiple of 2");
}

TEST_F(Distributed, TellsAllRanksWhatIsWrongWithTheCheckpoint) {
  const fs::path path = checkpoint_path(folder_.path());
  write_file_atomic(path, checkpoint(whole(2)).substr(0, 3000));
  Ranks ranks = start(folder_.path(), 2, 2);
  std::vector<std::string> errors;
  for (const auto& rank : ranks) {
    const Process::Result result = rank->wait();
    EXPECT_EQ(result.exit_code, 1);
    errors.push_back(last_line(result.err));
  }
  EXPECT_TRUE(errors[0].starts_with(path.string() + ": ")) << errors[0];
  EXPECT_EQ(errors[1], errors[0]);
  EXPECT_EQ(fs::file_size(path), 3000U);
}

TEST_F(Distributed, EndsOnEveryRankWhenItDiverges) {
  Ranks ranks = start(folder_.path(), 2, 2, {{"learning_rate", 1e30}});
  std::vector<std::string> errors;
  for (const auto& rank : ranks) {
    const Process::Result result = rank->wait();
    EXPECT_EQ(result.exit_code, 1);
    errors.push_back(last_line(result.err));
  }
  EXPECT_TRUE(errors[0].starts_with("training diverged: the loss of step ")) << errors[0];
  EXPECT_EQ(errors[1], errors[0]);
}

/// Kills one process with no warning, again and again, at any moment of a run; LATHE_KILLS=20 for
/// the whole of it. The others must end by themselves.
void kill_and_resume(const fs::path& folder, const std::function<Ranks()>& start_ranks) {
  const char* const kills_text = std::getenv("LATHE_KILLS");
  const int kills = kills_text != nullptr ? std::atoi(kills_text) : 3;
  const auto begun = std::chrono::steady_clock::now();
  {
    const TemporaryFolder other;  // how long a run takes, its start included
    Ranks whole = start_ranks();
    for (const auto& rank : whole) ASSERT_EQ(rank->wait(300).exit_code, 0);
  }
  const std::chrono::duration<double> duration = std::chrono::steady_clock::now() - begun;
  fs::remove_all(checkpoint_path(folder).parent_path());
  fs::remove(folder / "metrics.jsonl");
  Rng rng(static_cast<std::uint64_t>(::getpid()));
  int killed = 0;
  std::string before;
  int went_on = 0;
  for (int kill = 0; kill < kills; ++kill) {
    Ranks ranks = start_ranks();
    std::this_thread::sleep_for(duration * rng.uniform());
    const std::size_t victim = rng.below(static_cast<std::uint32_t>(ranks.size()));
    ranks[victim]->kill(SIGKILL);
    for (std::size_t r = 0; r < ranks.size(); ++r) {
      const Process::Result result = ranks[r]->wait(60);  // three times what they have to connect
      ASSERT_TRUE(result.ended) << "rank " << r << " hangs after rank " << victim << " was killed";
      if (r == victim) killed += result.exit_code == 128 + SIGKILL ? 1 : 0;
    }
    const fs::path path = checkpoint_path(folder);
    const std::string now = fs::exists(path) ? read_file(path) : "";
    went_on += now != before ? 1 : 0;
    before = now;
  }
  for (const auto& rank : start_ranks()) EXPECT_EQ(rank->wait(300).exit_code, 0);
  ::testing::Test::RecordProperty("kills", kills);
  ::testing::Test::RecordProperty("kills_before_the_end", killed);
  ::testing::Test::RecordProperty("kills_after_another_checkpoint", went_on);
}

TEST_F(Distributed, EndsTheSameWhenKilledAtAnyMoment) {
  kill_and_resume(folder_.path(), [&] {
    return start(folder_.path(), 2, 2, {{"checkpoint_steps", 3}});
  });
  expect_same(folder_.path(), 2, whole(2));
}

TEST_F(Distributed, ASearchEndsTheSameWhenKilledAtAnyMoment) {
  kill_and_resume(folder_.path(), [&] {
    return start(folder_.path(), 2, 2, {{"cells", true}, {"checkpoint_s", 0}});
  });
  expect_same(folder_.path(), 2, whole(2, {{"cells", true}, {"second_order", false}}));
}

TEST_F(Distributed, OfOneEndsTheSameWhenKilledAtAnyMoment) {
  kill_and_resume(folder_.path(), [&] {
    return start(folder_.path(), 1, 2, {{"checkpoint_steps", 3}});
  });
  expect_same(folder_.path(), 1, whole(2));
}

}  // namespace
}  // namespace lathe::train
