#include "lathe/accuracy/width_scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/accuracy/stored_predictor.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/space/families/chain_family.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::accuracy {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

std::unique_ptr<space::Space> widths_space() {
  return space::make_chain_space(
      {.name = "three_widths",
       .task = {.in_channels = 1, .num_classes = 4, .input_size = 8},
       .layers = {
           {.widths = {4, 8, 12, 16}}, {.widths = {8, 16}, .stride = 2}, {.widths = {8, 16, 24}}}});
}

WidthScoreTable random_table(const space::Space& space, std::uint64_t seed, double unvisited = 0) {
  Rng rng(seed);
  WidthScoreTable table;
  for (const space::Decision& decision : space.decisions()) {
    auto& scores = table.emplace_back();
    for (int c = 0; c < decision.num_choices(); ++c) {
      scores.emplace_back();
      if (!rng.bernoulli(unvisited)) {
        scores.back() = WidthScore{.mean = rng.uniform() - 0.1,
                                   .standard_error = 0.1 * rng.uniform(),
                                   .count = 1 + static_cast<std::int64_t>(rng.below(1000))};
      }
    }
  }
  return table;
}

TEST(WidthScoresTest, ErrorIsTheSumOfTheLivingChoices) {
  const TinySpace space;
  const WidthScoreTable table = random_table(space, 1);
  const WidthScores scores(space, table);
  EXPECT_EQ(scores.num_unvisited(), 0);
  Rng rng(2);
  for (int i = 0; i < 100; ++i) {
    const space::Arch arch = space.sample(rng);
    double error = 0;
    double variance = 0;
    for (std::size_t d = 0; d < table.size(); ++d) {
      if (space.alive(arch, static_cast<int>(d))) {
        const WidthScore& score = *table[d][arch.choices[d]];
        error += score.mean;
        variance += score.standard_error * score.standard_error;
      }
    }
    EXPECT_NEAR(scores.error(arch), error, 1e-12);
    EXPECT_NEAR(scores.costs().total(arch), error, 1e-12);
    EXPECT_NEAR(scores.standard_error(arch), std::sqrt(variance), 1e-12);
  }
}

TEST(WidthScoresTest, UnvisitedChoicesAreUnknownRatherThanFree) {
  const auto space = widths_space();
  const auto known = [](double mean) {
    return WidthScore{.mean = mean, .standard_error = 0.01, .count = 9};
  };
  const WidthScores scores(*space, {{known(0.5), {}, {}, known(0.2)},
                                    {{}, known(0.1)},
                                    {std::nullopt, std::nullopt, std::nullopt}});
  EXPECT_EQ(scores.num_unvisited(), 6);
  // A line between the neighbours, and the spread of 0.3 on top.
  EXPECT_NEAR(scores.errors()[0][1], 0.4 + 0.3, 1e-12);
  EXPECT_NEAR(scores.errors()[0][2], 0.3 + 0.3, 1e-12);
  // The only neighbour, and the widest spread.
  EXPECT_NEAR(scores.errors()[1][0], 0.1 + 0.3, 1e-12);
  EXPECT_EQ(scores.errors()[2], (std::vector<double>{0, 0, 0}));
  EXPECT_NEAR(scores.standard_error(space->smallest()),
              std::sqrt(0.01 * 0.01 + 0.3 * 0.3 + 0.3 * 0.3), 1e-12);
}

TEST(WidthScoresTest, UncalibratedItRanksAsTheErrorDoes) {
  const TinySpace space;
  const WidthScores scores(space, random_table(space, 3));
  double best = 0;
  Rng rng(4);
  for (int i = 0; i < 200; ++i) {
    const space::Arch a = space.sample(rng);
    const space::Arch b = space.sample(rng);
    if (scores.error(a) < scores.error(b) - 1e-9) {
      EXPECT_GT(scores.predict(a), scores.predict(b));
    }
    best = std::max({best, scores.predict(a), scores.predict(b)});
    EXPECT_NEAR(scores.predict(a) / scores.predict(b), std::exp(scores.error(b) - scores.error(a)),
                1e-9);
  }
  EXPECT_LE(best, 1.0);
  EXPECT_GT(best, 0.2);
}

TEST(WidthScoresTest, CalibrationFindsTheLine) {
  const auto space = widths_space();
  const WidthScores scores(*space, random_table(*space, 5));
  Rng rng(6);
  std::vector<AccuracySample> samples;
  std::vector<double> errors;
  std::vector<double> accuracies;
  for (int i = 0; i < 400; ++i) {
    const space::Arch arch = space->sample(rng);
    const double accuracy = 0.9 - 0.1 * scores.error(arch) + 0.004 * rng.normal();
    samples.push_back({arch, accuracy});
    errors.push_back(-scores.error(arch));
    accuracies.push_back(accuracy);
  }
  const WidthScores line = scores.calibrated(samples);
  ASSERT_TRUE(line.calibration());
  EXPECT_NEAR(line.calibration()->intercept, 0.9, 0.002);
  EXPECT_NEAR(line.calibration()->slope, 0.1, 0.002);
  EXPECT_NEAR(line.calibration()->rmse, 0.004, 0.0006);
  EXPECT_EQ(line.calibration()->samples, 400);
  EXPECT_EQ(line.calibration()->kendall_tau, kendall_tau(errors, accuracies));
  const space::Arch arch = space->largest();
  EXPECT_NEAR(line.predict(arch),
              line.calibration()->intercept - line.calibration()->slope * line.error(arch), 1e-12);
}

TEST(WidthScoresTest, CalibrationNeverRisesWithTheError) {
  const auto space = widths_space();
  const WidthScores scores(*space, random_table(*space, 5));
  Rng rng(6);
  std::vector<AccuracySample> samples;
  for (int i = 0; i < 30; ++i) {
    const space::Arch arch = space->sample(rng);
    samples.push_back({arch, 0.5 + 0.1 * scores.error(arch)});
  }
  const WidthScores level = scores.calibrated(samples);
  EXPECT_EQ(level.calibration()->slope, 0.0);
  EXPECT_LT(level.calibration()->kendall_tau, -0.9);
  EXPECT_EQ(
      text_thrown<std::invalid_argument>(
          [&] { scores.calibrated(std::vector<AccuracySample>(5, samples[0])); }),
      "[accuracy::WidthScores::calibrated] samples must be at least 3, of nets with different "
      "errors, got 5");
}

TEST(WidthScoresTest, EffectsAreTheSlopesOfTheChoices) {
  const TinySpace space;
  const WidthScores plain(space, random_table(space, 7));
  const WidthScores line(space, random_table(space, 7),
                         ScoreCalibration{.intercept = 0.8, .slope = 0.05, .samples = 9});
  for (const WidthScores* scores : {&plain, &line}) {
    Rng rng(8);
    for (int i = 0; i < 30; ++i) {
      space::Arch arch = space.sample(rng);
      const std::vector<float> effects = scores->choice_effects(std::vector{arch});
      // The first decision is always alive: exchange it.
      space::Arch other = arch;
      other.choices[0] = static_cast<std::uint8_t>(1 - arch.choices[0]);
      const double gained = scores->predict(other) - scores->predict(arch);
      const double linear = effects[other.choices[0]] - effects[arch.choices[0]];
      const double by_error = scores->error(other) - scores->error(arch);
      EXPECT_NEAR(gained, linear, 0.6 * by_error * by_error + 1e-7);
    }
  }
}

TEST(WidthScoresTest, ComesBackFromItsFile) {
  const TemporaryFolder dir;
  const auto space = widths_space();
  for (const bool calibrated : {false, true}) {
    WidthScores scores(*space, random_table(*space, 9, 0.3));
    if (calibrated) {
      scores =
          WidthScores(*space, scores.table(), ScoreCalibration{0.91, 1.0 / 3, 50, 0.0042, 0.87});
    }
    scores.save(dir / "scores.json");
    const WidthScores back = WidthScores::load(*space, dir / "scores.json");
    EXPECT_EQ(back.table(), scores.table());
    EXPECT_EQ(back.calibration(), scores.calibration());
    EXPECT_EQ(space_of_predictor(dir / "scores.json"), "three_widths");
    EXPECT_EQ(load_predictor(*space, dir / "scores.json")->predict(space->largest()),
              scores.predict(space->largest()));
  }
}

class WidthScoresFileTest : public ::testing::Test {
 protected:
  nlohmann::json json() const {
    return nlohmann::json::parse(WidthScores(*space_, random_table(*space_, 1)).to_json().dump());
  }
  std::string refusal(const nlohmann::json& changed) const {
    return text_thrown<Error>([&] { WidthScores::from_json(*space_, changed, "s.json"); });
  }
  std::unique_ptr<space::Space> space_ = widths_space();
};

TEST_F(WidthScoresFileTest, RefusesWhatIsNotOfTheSpace) {
  nlohmann::json changed = json();
  changed["space"] = "mobilenet_v1_widths";
  EXPECT_EQ(refusal(changed),
            "s.json: \"space\": expected three_widths, got \"mobilenet_v1_widths\"; name the space "
            "of the scores with --space");
  changed = json();
  changed["task"]["input_size"] = 9;
  EXPECT_EQ(refusal(changed),
            "s.json: scores of another task than the space's: input_size: 9 "
            "against 8");
  changed = json();
  changed["scores"].erase(0);
  EXPECT_EQ(refusal(changed),
            "s.json: [accuracy::WidthScores] scores must have a list for each of "
            "the 3 decisions of three_widths, got 2");
  changed = json();
  changed["scores"][1].push_back(nullptr);
  EXPECT_EQ(refusal(changed),
            "s.json: [accuracy::WidthScores] scores[1] must have an entry for "
            "each of the 2 choices, got 3");
}

TEST_F(WidthScoresFileTest, RefusesWhatIsNoScore) {
  const auto with = [&](const std::string& key, const nlohmann::json& value) {
    nlohmann::json changed = json();
    changed["scores"][0][1][key] = value;
    return refusal(changed);
  };
  EXPECT_EQ(with("mean", "low"), "s.json: scores[0][1]: \"mean\": expected a number, got \"low\"");
  EXPECT_EQ(with("mean", -2e9),
            "s.json: [accuracy::WidthScores] scores[0][1].mean must be within "
            "+-1e9, got -2000000000.000000");
  EXPECT_EQ(with("standard_error", -1),
            "s.json: [accuracy::WidthScores] scores[0][1].standard_error must be in [0, 1e9], got "
            "-1.000000");
  EXPECT_EQ(with("count", 0),
            "s.json: [accuracy::WidthScores] scores[0][1].count must be > 0, got 0");
  nlohmann::json changed = json();
  changed["version"] = 2;
  EXPECT_EQ(refusal(changed), "s.json: \"version\": expected 1, got 2");
  changed = json();
  changed["unit"] = "percent";
  EXPECT_EQ(refusal(changed),
            "s.json: \"unit\": expected \"nats of cross-entropy above the widest net\", got "
            "\"percent\"");
  changed = json();
  changed["calibration"] = {
      {"intercept", 1}, {"slope", -1}, {"samples", 3}, {"rmse", 0}, {"kendall_tau", 0}};
  EXPECT_EQ(refusal(changed),
            "s.json: [accuracy::WidthScores] calibration.slope must be >= 0, got "
            "-1.000000");
}

TEST_F(WidthScoresFileTest, RefusesATableWithoutAScore) {
  nlohmann::json changed = json();
  for (auto& scores : changed["scores"]) {
    for (auto& score : scores) {
      score = nullptr;
    }
  }
  EXPECT_EQ(refusal(changed),
            "s.json: [accuracy::WidthScores] scores must have a visited choice, got none");
}

// Every value of the file replaced by others, and every member left out: loaded or refused.
TEST_F(WidthScoresFileTest, MutatedFilesAreLoadedOrRefused) {
  const nlohmann::json flat = json().flatten();
  const std::vector<nlohmann::json> values{nullptr,
                                           true,
                                           -1,
                                           1e308,
                                           "",
                                           1e18,
                                           0,
                                           "NaN",
                                           nlohmann::json::array(),
                                           nlohmann::json::object()};
  int refused = 0;
  for (const auto& item : flat.items()) {
    for (const nlohmann::json& value : values) {
      nlohmann::json changed = json();
      changed[nlohmann::json::json_pointer(item.key())] = value;
      try {
        const WidthScores scores = WidthScores::from_json(*space_, changed, "s.json");
        EXPECT_TRUE(std::isfinite(scores.error(space_->largest())));
      } catch (const Error& error) {
        ++refused;
        EXPECT_EQ(std::string(error.what()).substr(0, 7), "s.json:");
      }
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(WidthScoresTest, RefusesArchsOfOtherSpaces) {
  const auto space = widths_space();
  const WidthScores scores(*space, random_table(*space, 1));
  EXPECT_THROW(scores.predict(space::Arch{{0, 0}}), std::invalid_argument);
  EXPECT_THROW(scores.error(space::Arch{{0, 7, 0}}), std::invalid_argument);
}

}  // namespace
}  // namespace lathe::accuracy
