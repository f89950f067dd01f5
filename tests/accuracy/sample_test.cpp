#include "lathe/accuracy/sample.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::accuracy {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

Conditions conditions_for(const space::Space& space) {
  return {.space = space.name(),
          .task = space.task(),
          .dataset = "digits",
          .weights = "00ff",
          .validation_images = 500,
          .seed = 0xfedcba9876543210ULL};
}

class AccuracySampleTest : public ::testing::Test {
 protected:
  void append_text(const std::string& text) const { std::ofstream(path_, std::ios::app) << text; }
  std::string line(double accuracy) const {
    return nlohmann::ordered_json{{"arch", space_.to_json(space_.largest())},
                                  {"accuracy", accuracy}}
               .dump() +
           "\n";
  }
  std::string error_of_reading() const {
    return text_thrown<Error>([&] { read_samples(path_, space_); });
  }

  TemporaryFolder dir_;
  std::filesystem::path path_ = dir_ / "s.jsonl";
  TinySpace space_;
};

TEST_F(AccuracySampleTest, WritesAndContinues) {
  const AccuracySample a{space_.smallest(), 0.25};
  const AccuracySample b{space_.largest(), 1.0};
  SampleLog(path_, space_, conditions_for(space_)).append(a);
  SampleLog log(path_, space_, conditions_for(space_));
  EXPECT_EQ(log.samples(), std::vector<AccuracySample>{a});
  log.append(b);
  EXPECT_EQ(log.samples(), (std::vector<AccuracySample>{a, b}));
  const AccuracySamples read = read_samples(path_, space_);
  EXPECT_EQ(read.samples, log.samples());
  EXPECT_FALSE(read.unfinished);
  EXPECT_EQ(difference(read.conditions, conditions_for(space_)), std::nullopt);
  EXPECT_EQ(difference(conditions_of_samples(path_), conditions_for(space_)), std::nullopt);
}

TEST_F(AccuracySampleTest, KeepsSoftAccuracies) {
  const std::vector<AccuracySample> samples{{space_.smallest(), 0.25, 0.125},
                                            {space_.largest(), 0.5}};
  SampleLog log(path_, space_, conditions_for(space_));
  for (const AccuracySample& sample : samples) log.append(sample);
  EXPECT_EQ(read_samples(path_, space_).samples, samples);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              log.append({space_.largest(), 0.5, -0.5});
            }),
            "[accuracy::SampleLog::append] accuracy must be a fraction in [0, 1], got -0.500000");
  std::string text = read_file(path_);
  text.replace(text.find("0.125"), 5, "\"low\"");
  write_file_atomic(path_, text);
  EXPECT_NE(text_thrown<Error>([&] {
              read_samples(path_, space_);
            }).find(path_.string() + ":2: \"soft_accuracy\": "),
            std::string::npos);
}

TEST(SmoothedAccuracies, AreThoseOfTheLineFromSoftOnes) {
  // Accuracies of 0.2 + soft, off by what sums to nothing and doesn't depend on it.
  const std::vector<double> soft{0.4, 0.5, 0.6, 0.7}, off{0.01, -0.01, -0.01, 0.01};
  std::vector<AccuracySample> samples;
  for (std::size_t i = 0; i < soft.size(); ++i) {
    samples.push_back({{}, 0.2 + soft[i] + off[i], soft[i]});
  }
  const std::vector<double> smoothed = smoothed_accuracies(samples);
  for (std::size_t i = 0; i < soft.size(); ++i) {
    EXPECT_NEAR(smoothed[i], 0.2 + soft[i], 1e-12);
  }
  EXPECT_TRUE(smoothed_accuracies({}).empty());
}

TEST(SmoothedAccuracies, AreAsMeasuredWhereSoftOnesSayNothing) {
  const auto of = [](std::vector<AccuracySample> samples) { return smoothed_accuracies(samples); };
  const std::vector<double> measured{0.5, 0.6, 0.9};
  EXPECT_EQ(of({{{}, 0.5, 0.4}, {{}, 0.6}, {{}, 0.9, 0.8}}), measured) << "one has none";
  EXPECT_EQ(of({{{}, 0.5, 0.4}, {{}, 0.6, 0.4}, {{}, 0.9, 0.4}}), measured) << "all alike";
  EXPECT_EQ(of({{{}, 0.5, 0.8}, {{}, 0.6, 0.6}, {{}, 0.9, 0.4}}), measured) << "the other way";
}

TEST_F(AccuracySampleTest, BeginsNoFileBeforeTheFirstSample) {
  const SampleLog log(path_, space_, conditions_for(space_));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(AccuracySampleTest, SurvivesATornLine) {
  const AccuracySample a{space_.largest(), 0.5};
  SampleLog(path_, space_, conditions_for(space_)).append(a);
  append_text("{\"arch\": {\"spa");
  EXPECT_TRUE(read_samples(path_, space_).unfinished);
  SampleLog log(path_, space_, conditions_for(space_));
  log.append(a);
  EXPECT_EQ(read_samples(path_, space_).samples, (std::vector<AccuracySample>{a, a}));
  // Torn within the very first line: nothing was there.
  write_file_atomic(path_, "{\"condi");
  SampleLog(path_, space_, conditions_for(space_)).append(a);
  EXPECT_EQ(read_samples(path_, space_).samples, std::vector<AccuracySample>{a});
}

TEST_F(AccuracySampleTest, RefusesAnotherRuns) {
  SampleLog(path_, space_, conditions_for(space_)).append({space_.largest(), 0.5});
  const auto text = [&](auto change) {
    Conditions other = conditions_for(space_);
    change(other);
    return text_thrown<Error>([&] { SampleLog(path_, space_, other); });
  };
  const std::string begin = path_.string() + ": evaluated under other conditions: ";
  const std::string end = "; name another file";
  EXPECT_EQ(text([](Conditions& c) { c.weights = "00fe"; }),
            begin + "weights: \"00ff\" against \"00fe\"" + end);
  EXPECT_EQ(text([](Conditions& c) { c.seed = 1; }),
            begin + "seed: 18364758544493064720 against 1" + end);
  EXPECT_EQ(text([](Conditions& c) { c.validation_images = 400; }),
            begin + "validation_images: 500 against 400" + end);
  EXPECT_EQ(text([](Conditions& c) { c.dataset = "letters"; }),
            begin + "dataset: \"digits\" against \"letters\"" + end);
  EXPECT_EQ(text([](Conditions& c) { c.task.num_classes = 7; }),
            begin + "num_classes: 10 against 7" + end);
  const TinySpace other(2, "other");
  EXPECT_EQ(
      text_thrown<Error>([&] { read_samples(path_, other); }),
      path_.string() + ": not of the space that was asked for: space: \"tiny\" against \"other\"");
}

TEST_F(AccuracySampleTest, RefusesWhatIsNone) {
  EXPECT_EQ(error_of_reading(),
            path_.string() + ": expected evaluated subnets, got a missing or empty file");
  append_text(line(0.5));
  EXPECT_EQ(error_of_reading(),
            path_.string() + ":1: \"conditions\": expected another type, got nothing");
  std::filesystem::remove(path_);
  SampleLog(path_, space_, conditions_for(space_)).append({space_.largest(), 0.5});
  const std::string begun = read_file(path_);
  append_text(line(1.5));
  EXPECT_EQ(error_of_reading(),
            path_.string() + ":3: \"accuracy\": must be a fraction in [0, 1], got 1.5");
  write_file_atomic(path_, begun + begun);
  EXPECT_EQ(error_of_reading(),
            path_.string() + ":3: expected a sample, got conditions a second time");
  write_file_atomic(path_, begun + "{\"accuracy\": 0.5}\n");
  EXPECT_EQ(error_of_reading().rfind(path_.string() + ":3: \"arch\"", 0), 0U);
  write_file_atomic(path_, "{\"conditions\": {\"space\": \"tiny\", \"in_channels\": 0}}\n");
  EXPECT_EQ(text_thrown<Error>([&] { conditions_of_samples(path_); }),
            path_.string() + ":1: \"in_channels\": must be > 0, got 0");
  write_file_atomic(path_, "{");
  EXPECT_EQ(text_thrown<Error>([&] { conditions_of_samples(path_); }),
            path_.string() + ": expected evaluated subnets, got no complete line");
}

TEST_F(AccuracySampleTest, RefusesAnAccuracyThatIsNoFraction) {
  SampleLog log(path_, space_, conditions_for(space_));
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              log.append({space_.largest(), 91.5});
            }),
            "[accuracy::SampleLog::append] accuracy must be a fraction in [0, 1], got 91.500000");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(AccuracySampleTest, EitherLoadsOrRefusesMutatedFiles) {
  SampleLog log(path_, space_, conditions_for(space_));
  log.append({space_.largest(), 0.5});
  log.append({space_.smallest(), 0.25});
  const std::string text = read_file(path_);
  Rng rng(1);
  int refused = 0;
  for (int i = 0; i < 500; ++i) {
    std::string mutated = text;
    mutated[rng.below(static_cast<std::uint32_t>(text.size()))] = static_cast<char>(rng.below(256));
    write_file_atomic(path_, mutated);
    try {
      for (const AccuracySample& sample : read_samples(path_, space_).samples) {
        space_.check(sample.arch);
        EXPECT_TRUE(sample.accuracy >= 0 && sample.accuracy <= 1);
      }
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(std::string(error.what()).rfind(path_.string() + ":", 0), 0U) << error.what();
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace lathe::accuracy
