#include "lathe/train/predictors/collect_accuracy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::train {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

class CollectAccuracyTest : public ::testing::Test {
 protected:
  CollectAccuracyTest() {
    Rng rng(1);
    for (int i = 0; i < 11; ++i) archs_.push_back(space_.sample(rng));
  }
  accuracy::SampleLog log(const std::string& name = "s.jsonl") const {
    return {dir_ / name,
            space_,
            {.space = space_.name(),
             .task = space_.task(),
             .dataset = "d",
             .weights = "w",
             .validation_images = 10,
             .seed = 0}};
  }
  /// A number that only this arch has.
  static double accuracy_of(const space::Arch& arch) {
    double value = 0.0;
    for (const std::uint8_t choice : arch.choices) value = (value + choice) / 2;
    return value / 2;
  }
  std::vector<accuracy::AccuracySample> collect(accuracy::SampleLog& log, int at_once = 1) {
    return collect_accuracy(
        archs_,
        [&](std::span<const space::Arch> some) {
          std::vector<Score> found;
          for (const space::Arch& arch : some) {
            evaluated_.push_back(arch);
            found.push_back({accuracy_of(arch), accuracy_of(arch) / 3});
          }
          most_at_once_ = std::max(most_at_once_, some.size());
          return found;
        },
        at_once, log, [&](const Progress& p) { progress_.push_back(p); });
  }

  TemporaryFolder dir_;
  TinySpace space_;
  std::vector<space::Arch> archs_;
  std::size_t most_at_once_ = 0;
  std::vector<space::Arch> evaluated_;
  std::vector<Progress> progress_;
};

TEST_F(CollectAccuracyTest, EvaluatesEachInOrder) {
  auto file = log();
  const auto samples = collect(file);
  EXPECT_EQ(evaluated_, archs_);
  ASSERT_EQ(samples.size(), archs_.size());
  for (std::size_t i = 0; i < archs_.size(); ++i) {
    EXPECT_EQ(samples[i], (accuracy::AccuracySample{archs_[i], accuracy_of(archs_[i]),
                                                    accuracy_of(archs_[i]) / 3}));
  }
  EXPECT_EQ(accuracy::read_samples(dir_ / "s.jsonl", space_).samples, samples);
  ASSERT_EQ(progress_.size(), 11U);
  EXPECT_EQ(progress_.back().done, 11);
  EXPECT_EQ(progress_.back().total, 11);
  EXPECT_EQ(progress_.back().stage, "accuracy");
}

TEST_F(CollectAccuracyTest, HowManyAtOnceChangesNothing) {
  auto alone = log("1");
  auto together = log("4");
  collect(alone);
  collect(together, 4);  // does not divide 11
  EXPECT_EQ(evaluated_.size(), 22U);
  EXPECT_EQ(most_at_once_, 4U);
  EXPECT_EQ(read_file(dir_ / "4"), read_file(dir_ / "1"));
}

TEST_F(CollectAccuracyTest, GoesOnAfterTheLastWholeLine) {
  auto file = log();
  const auto whole = collect(file);
  const std::string text = read_file(dir_ / "s.jsonl");
  std::size_t end = 0;
  for (int line = 0; line < 8; ++line) end = text.find('\n', end) + 1;
  write_file_atomic(dir_ / "s.jsonl", text.substr(0, end + 10));
  evaluated_.clear();
  auto resumed = log();
  EXPECT_EQ(collect(resumed), whole);
  EXPECT_EQ(evaluated_.size(), 4U);
  EXPECT_EQ(read_file(dir_ / "s.jsonl"), text);
  evaluated_.clear();
  EXPECT_EQ(collect(resumed), whole);
  EXPECT_TRUE(evaluated_.empty());
}

TEST_F(CollectAccuracyTest, RefusesAFileOfOtherSubnets) {
  auto file = log();
  collect(file);
  std::swap(archs_[2], archs_[5]);
  ASSERT_NE(archs_[2], archs_[5]);
  auto again = log();
  const std::string path = (dir_ / "s.jsonl").string();
  EXPECT_EQ(text_thrown<Error>([&] { collect(again); }),
            path + ":4: is not the subnet that is drawn here; name another file");
  std::swap(archs_[2], archs_[5]);
  archs_.pop_back();
  EXPECT_EQ(text_thrown<Error>([&] { collect(again); }),
            path + ":12: is not the subnet that is drawn here; name another file");
}

TEST_F(CollectAccuracyTest, KeepsWhatWasEvaluatedBeforeAFailure) {
  auto file = log();
  int calls = 0;
  const auto failing = [&](std::span<const space::Arch> some) {
    if (++calls == 3) throw Error("out of luck");
    return std::vector<Score>(some.size(), {0.5, 0.5});
  };
  EXPECT_EQ(text_thrown<Error>(
                [&] { collect_accuracy(archs_, failing, 2, file, [](const Progress&) {}); }),
            "out of luck");
  EXPECT_EQ(accuracy::read_samples(dir_ / "s.jsonl", space_).samples.size(), 4U);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { collect_accuracy(archs_, failing, 0, file, [](const Progress&) {}); }),
            "[train::collect_accuracy] at_once must be > 0, got 0");
}

}  // namespace
}  // namespace lathe::train
