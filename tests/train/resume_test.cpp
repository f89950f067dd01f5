// A run that stops anywhere and goes on ends with the same bytes as one that never stopped.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/nn/supernet.h"
#include "lathe/train/strategies/deps.h"
#include "lathe/train/trainer.h"
#include "train/pattern_images.h"
#include "train/stopped.h"

namespace lathe::train {
namespace {

namespace fs = std::filesystem;
using lathe::testing::Stopped;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;

constexpr std::int64_t kImages = 128;  // 16 steps an epoch, 4 epochs, sorted before step 32
constexpr std::int64_t kNever = 1000;

/// No file of this process may grow beyond `bytes` while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_{};
  void (*handler_)(int);
};

class Resume : public ::testing::Test {
 protected:
  static DepsOptions deps(double learning_rate) {
    return {.schedule = {.peak = learning_rate, .total_steps = 64, .warmup_steps = 3}};
  }
  /// What the settings in a checkpoint say of it.
  std::string strategy(double learning_rate) const {
    return make_deps(*space_, deps(learning_rate))->to_json().dump();
  }

  /// Trains in `folder` from whatever is there, with a supernet of its own; throws Stopped when
  /// step `stop` has been reported (every tenth, and the end of an epoch after its checkpoint).
  std::int64_t train(const fs::path& folder, std::int64_t stop = kNever,
                     std::uint64_t supernet_seed = 1, double learning_rate = 0.05) {
    const TrainOptions options{.batch_size = 8,
                               .shards = 2,
                               .augment = {.crop_padding = 1},
                               .validation_images = 16,
                               .checkpoint_steps = checkpoint_steps_,
                               .seed = 6,
                               .folder = folder};
    const auto strategy = make_deps(*space_, deps(learning_rate));
    nn::Supernet supernet(space_, {.seed = supernet_seed, .replicas = options.shards});
    return lathe::train::train(supernet, *space_, *strategy, dataset_, options,
                               [&](const Progress& progress) {
                                 if (progress.done >= stop) throw Stopped();
                               });
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

  static void append(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::app) << text;
  }

  /// Trains to the end in `folder`; all is as without interruption.
  void expect_goes_on(const fs::path& folder, std::int64_t steps) {
    // The initial weights matter to a run that starts over, and to no other.
    EXPECT_EQ(train(folder, kNever, /*supernet_seed=*/steps == 64 ? 1 : 99), steps);
    EXPECT_TRUE(checkpoint(folder) == checkpoint(whole())) << "the checkpoints differ";
    EXPECT_EQ(metrics(folder), metrics(whole()));
  }

  /// The folder of a run without interruption, made once.
  const fs::path& whole() {
    static const TemporaryFolder folder;
    static const bool trained = train(folder.path()) == 64;
    EXPECT_TRUE(trained);
    return folder.path();
  }

  std::shared_ptr<const space::Space> space_ = lathe::testing::pattern_space();
  data::Dataset dataset_ = lathe::testing::pattern_dataset(kImages);
  TemporaryFolder folder_;
  std::int64_t checkpoint_steps_ = 0;
};

TEST_F(Resume, AfterACheckpointOrBetweenTwo) {
  struct Stop {
    std::int64_t at;         // reported then
    std::int64_t remaining;  // from the last checkpoint
  };
  // Before the first checkpoint, at one, between, just before the sort, after it, near the end.
  for (const Stop& stop : {Stop{10, 64}, {16, 48}, {30, 48}, {32, 32}, {50, 16}, {60, 16}}) {
    SCOPED_TRACE(stop.at);
    const TemporaryFolder folder;
    EXPECT_THROW(train(folder.path(), stop.at), Stopped);
    expect_goes_on(folder.path(), stop.remaining);
  }
}

TEST_F(Resume, AfterACheckpointInTheMiddleOfAnEpoch) {
  checkpoint_steps_ = 5;
  for (const std::int64_t stop : {10, 30, 40, 60}) {  // at a checkpoint
    SCOPED_TRACE(stop);
    const TemporaryFolder folder;
    EXPECT_THROW(train(folder.path(), stop), Stopped);
    expect_goes_on(folder.path(), 64 - stop);
  }
}

TEST_F(Resume, MoreThanOnce) {
  for (const std::int64_t stop : {10, 20, 32, 40, 50, 64}) {
    EXPECT_THROW(train(folder_.path(), stop), Stopped);
  }
  expect_goes_on(folder_.path(), 0);
}

TEST_F(Resume, DropsAMetricsLineWithoutItsCheckpoint) {
  EXPECT_THROW(train(folder_.path(), 16), Stopped);
  const std::vector<nlohmann::json> before = metrics(folder_.path());
  ASSERT_EQ(before.size(), 1U);
  append(folder_ / "metrics.jsonl", "{\"step\":32,\"loss\":7}\n{\"step\":48,\"lo");
  expect_goes_on(folder_.path(), 48);
}

TEST_F(Resume, DropsMetricsFromBeforeTheFirstCheckpoint) {
  append(folder_ / "metrics.jsonl", "{\"step\":16,\"loss\":7}\n");
  expect_goes_on(folder_.path(), 64);
}

TEST_F(Resume, AfterTheDiskWasFullAtACheckpoint) {
  EXPECT_THROW(train(folder_.path(), 16), Stopped);
  const std::string before = checkpoint(folder_.path());
  {
    const FileSizeLimit limit(before.size() / 2);
    EXPECT_EQ(text_thrown<Error>([&] { train(folder_.path()); }),
              checkpoint_path(folder_.path()).string() + ": cannot write: File too large");
  }
  EXPECT_TRUE(checkpoint(folder_.path()) == before) << "the old checkpoint is damaged";
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "checkpoint"), fs::directory_iterator()),
            1);
  expect_goes_on(folder_.path(), 48);
}

TEST_F(Resume, RefusesOtherOptions) {
  EXPECT_THROW(train(folder_.path(), 16), Stopped);
  const std::string before = checkpoint(folder_.path());
  EXPECT_EQ(text_thrown<Error>([&] { train(folder_.path(), kNever, 1, 0.25); }),
            checkpoint_path(folder_.path()).string() +
                ": was made with strategy = " + strategy(0.05) + ", this run has " +
                strategy(0.25) + "; use the same options or another --out");
  EXPECT_TRUE(checkpoint(folder_.path()) == before);
}

TEST_F(Resume, RefusesMoreStepsThanThereAre) {
  EXPECT_THROW(train(folder_.path(), 16), Stopped);
  const fs::path path = checkpoint_path(folder_.path());
  const SafetensorsFile good = load_safetensors(path);
  const auto text = [&](const std::string& key, const std::string& value) {
    SafetensorsFile file = good;
    file.metadata[key] = value;
    save_safetensors(path, file);
    return text_thrown<Error>([&] { train(folder_.path()); });
  };
  EXPECT_EQ(text("steps_done", "1000000"),
            path.string() + ": says that 1000000 steps are done, of 64");
  const nlohmann::json state = nlohmann::json::parse(good.metadata.at("state"));
  for (const char* counted : {"updates", "epoch_steps"}) {
    for (const std::int64_t steps : {std::int64_t{-1}, std::int64_t{1} << 62}) {
      nlohmann::json changed = state;
      changed[counted] = steps;
      EXPECT_EQ(text("state", changed.dump()),
                path.string() + ": state: \"" + counted + "\": expected at most the " +
                    good.metadata.at("steps_done") + " steps that are done, got " +
                    std::to_string(steps));
    }
  }
}

TEST_F(Resume, RefusesADamagedFile) {
  EXPECT_THROW(train(folder_.path(), 16), Stopped);
  const fs::path path = checkpoint_path(folder_.path());
  write_file_atomic(path, checkpoint(folder_.path()).substr(0, 2000));
  EXPECT_TRUE(text_thrown<Error>([&] { train(folder_.path()); }).starts_with(path.string() + ": "));
  EXPECT_EQ(fs::file_size(path), 2000U);

  fs::remove(path);
  write_file_atomic(folder_ / "metrics.jsonl", "{\"loss\":1}\n");
  EXPECT_TRUE(text_thrown<Error>([&] {
                train(folder_.path());
              }).starts_with((folder_ / "metrics.jsonl").string() + ":1: \"step\": expected"));
}

}  // namespace
}  // namespace lathe::train
