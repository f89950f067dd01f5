#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "apps/tiny_run.h"
#include "lathe/train/records/checkpoint.h"

namespace lathe {
namespace {

using lathe::testing::expect_failure;
using lathe::testing::lines_of;
using lathe::testing::Outcome;
using lathe::testing::quoted;
using lathe::testing::TinyRun;

constexpr const char* kSeeHelp = " (see lathe --help)";

class RunErrorsTest : public ::testing::Test {
 protected:
  void overwrite(const std::string& name, const std::string& bytes) {
    testing::write_plain(tiny_.data() / name, bytes);
  }
  std::string data_file(const std::string& name) const { return (tiny_.data() / name).string(); }

  TinyRun tiny_;
};

TEST_F(RunErrorsTest, MissingFiles) {
  std::filesystem::remove(tiny_.data() / "t10k-labels-idx1-ubyte");
  expect_failure(
      tiny_.run(), 1,
      data_file("t10k-labels-idx1-ubyte.gz") + ": no such file, nor t10k-labels-idx1-ubyte");
  std::filesystem::remove_all(tiny_.data());
  expect_failure(tiny_.run(), 1,
                 tiny_.data().string() + ": no such folder: expected the files of fashion-mnist");
}

TEST_F(RunErrorsTest, ARunnerWithoutItsProgramBeforeDataAreRead) {
  std::filesystem::remove_all(tiny_.data());
  expect_failure(tiny_.run("--runner command"), 1,
                 "--runner command: needs --command with the program to run (docs/runners.md)");
  EXPECT_FALSE(std::filesystem::exists(tiny_.out("config.toml")));
}

TEST_F(RunErrorsTest, DamagedFiles) {
  const std::string images = "train-images-idx3-ubyte";
  const std::string whole = read_file(tiny_.data() / images);
  overwrite(images, whole.substr(0, whole.size() - 1));
  expect_failure(tiny_.run(), 1,
                 data_file(images) +
                     ": truncated: expected 86400 bytes, 600 images of 12x12, got "
                     "86399 bytes");
  overwrite(images, "PNG" + whole.substr(3));
  expect_failure(tiny_.run(), 1,
                 data_file(images) + ": expected magic 0x00000803 (idx images), got 0x504e4703");
  overwrite(images, whole);

  const std::string labels = "train-labels-idx1-ubyte";
  std::string bytes = read_file(tiny_.data() / labels);
  bytes[8 + 41] = 10;
  overwrite(labels, bytes);
  expect_failure(tiny_.run(), 1,
                 data_file(labels) + ": expected labels in [0, 9], got 10 at position 41");
  // Nothing was begun that a run with other options would have to go on with.
  EXPECT_TRUE(std::filesystem::exists(tiny_.out("config.toml")));
  EXPECT_FALSE(std::filesystem::exists(tiny_.out("latency.json")));
  overwrite(labels, "");
  expect_failure(tiny_.run("--seed 7"), 1,
                 data_file(labels) +
                     ": truncated: expected the magic number of an idx file, got the end of the "
                     "file");
}

TEST_F(RunErrorsTest, TooFewImages) {
  const Outcome few =
      testing::run_lathe("run --validation-size 5000 --data-dir " + quoted(tiny_.data().string()) +
                         " --out " + quoted(tiny_.out().string()));
  expect_failure(few, 1,
                 tiny_.data().string() +
                     ": expected more than 5000 training images, the size of "
                     "the validation split, got 600");
}

TEST_F(RunErrorsTest, Targets) {
  const auto failure = [&](const std::string& targets) {
    return testing::run_lathe("run --out " + quoted(tiny_.out().string()) + " --targets " +
                              targets);
  };
  const std::string begin =
      "--targets: must be a number > 0 of ms such as 0.5, 0.5ms, 20us or 0.1s, or images a second "
      "such as 200/s, with @p50 to @p99 if it is not the median's, got ";
  expect_failure(failure("''"), 2, begin + "\"\"" + kSeeHelp);
  expect_failure(failure("2,-3"), 2, begin + "\"-3\"" + kSeeHelp);
  expect_failure(failure("nan"), 2, begin + "\"nan\"" + kSeeHelp);
  expect_failure(failure("inf"), 2, begin + "\"inf\"" + kSeeHelp);
  expect_failure(failure("0"), 2, begin + "\"0\"" + kSeeHelp);
  expect_failure(failure("2km"), 2, begin + "\"2km\"" + kSeeHelp);
  EXPECT_EQ(failure("").exit_code, 2);
  EXPECT_EQ(failure(",").exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(tiny_.out()));
}

TEST_F(RunErrorsTest, UnknownNames) {
  const std::string out = " --out " + quoted(tiny_.out().string());
  expect_failure(
      testing::run_lathe("run --space mbv3_82" + out), 2,
      "--space: unknown space \"mbv3_82\": did you mean \"mbv3_28\"?" + std::string(kSeeHelp));
  expect_failure(testing::run_lathe("run --dataset fashion-mnits" + out), 2,
                 "--dataset: unknown data set \"fashion-mnits\": did you mean \"fashion-mnist\"?" +
                     std::string(kSeeHelp));
  EXPECT_FALSE(std::filesystem::exists(tiny_.out()));
}

TEST_F(RunErrorsTest, DataOfOnesOwn) {
  const std::string out = " --out " + quoted(tiny_.out().string());
  const std::filesystem::path folder = tiny_.folder() / "photos";
  const auto failure = [&] {
    return testing::run_lathe("run --dataset " + quoted(folder.string()) + out);
  };
  expect_failure(failure(), 1,
                 folder.string() + ": no such folder, nor a data set: known: \"fashion-mnist\", "
                                   "\"cifar-10\", \"cifar-100\"");
  std::filesystem::create_directories(folder / "cats");
  expect_failure(
      failure(), 1,
      (folder / "cats").string() + ": expected .jpg, .jpeg or .png files of this class, got none");
  EXPECT_FALSE(std::filesystem::exists(tiny_.out("latency.json")));
}

TEST_F(RunErrorsTest, OutputFolder) {
  expect_failure(testing::run_lathe("run"), 2, "--out is required" + std::string(kSeeHelp));
  expect_failure(testing::run_lathe(tiny_.options("/proc/lathe")), 1,
                 "/proc/lathe: cannot make the output folder: No such file or directory; choose "
                 "another --out");
  write_file_atomic(tiny_.folder() / "file", "text");
  const std::string inside = (tiny_.folder() / "file/out").string();
  expect_failure(testing::run_lathe(tiny_.options(inside)), 1,
                 inside + ": cannot make the output folder: Not a directory; choose another --out");
  EXPECT_EQ(read_file(tiny_.folder() / "file"), "text");
}

TEST_F(RunErrorsTest, ConfigFiles) {
  const std::string path = (tiny_.folder() / "options.toml").string();
  const auto failure = [&](const std::string& text) {
    write_file_atomic(path, text);
    return testing::run_lathe("run --config " + quoted(path) + " --out " +
                              quoted(tiny_.out().string()));
  };
  expect_failure(failure("[run]\nepoch=3\n"), 2,
                 path + ": no option of lathe: run.epoch" + kSeeHelp);
  expect_failure(
      failure("[run]\ntargets=[1, -2]\n"), 2,
      "--targets: must be a number > 0 of ms such as 0.5, 0.5ms, 20us or 0.1s, or images "
      "a second such as 200/s, with @p50 to @p99 if it is not the median's, got \"-2\"" +
          std::string(kSeeHelp));
  EXPECT_EQ(failure("[run]\nthreads=\"many\"\n").exit_code, 2);
  const Outcome missing = testing::run_lathe("run --config /nowhere/c.toml --out x");
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_NE(missing.err.find("/nowhere/c.toml"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(tiny_.out()));
}

TEST_F(RunErrorsTest, CheckpointOfAnotherSpace) {
  const nn::Supernet other(testing::stage_space(), {.seed = 1});
  const std::string checkpoint = tiny_.out("checkpoint/supernet.safetensors");
  train::save_checkpoint(checkpoint, {.weights_of = other.name(),
                                      .steps_done = 3,
                                      .settings = nlohmann::json::object(),
                                      .weights = other.state()});
  tiny_.write_latency_table(tiny_.out());
  const std::string bytes = read_file(checkpoint);
  expect_failure(tiny_.run(), 1,
                 checkpoint +
                     ": is a checkpoint of space tiny_stage, expected mbv3_28; use "
                     "another --out or --space",
                 /*after_progress=*/true);
  EXPECT_EQ(read_file(checkpoint), bytes);
  EXPECT_TRUE(std::filesystem::exists(tiny_.out("latency.json")));
}

TEST_F(RunErrorsTest, DamagedFilesOfTheRunItself) {
  tiny_.write_latency_table(tiny_.out());
  write_file_atomic(tiny_.out("checkpoint/supernet.safetensors"), "short");
  const Outcome damaged = tiny_.run();
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_EQ(lines_of(damaged.err)
                .back()
                .rfind("lathe: " + tiny_.out("checkpoint/supernet.safetensors").string() + ": ", 0),
            0U)
      << damaged.err;
  write_file_atomic(tiny_.out("latency.json"), "{}");
  const Outcome table = tiny_.run("--resume");
  EXPECT_EQ(table.exit_code, 1);
  EXPECT_EQ(
      lines_of(table.err).back().rfind("lathe: " + tiny_.out("latency.json").string() + ": ", 0),
      0U)
      << table.err;
}

}  // namespace
}  // namespace lathe
