// Scores of widths: streams by hand, and made-up nets whose widths' costs are known.
#include "lathe/train/strategies/width_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/families/chain_family.h"

namespace lathe::train {
namespace {

using lathe::testing::text_thrown;
using space::Arch;
using Scores = accuracy::WidthScoreTable;

/// Two decisions of two widths.
std::unique_ptr<space::Space> two_by_two() {
  return space::make_chain_space({.name = "two", .layers = {{{8, 16}}, {{8, 16}}}});
}

void expect_score(const Scores& scores, std::size_t decision, std::size_t choice, double mean,
                  double standard_error, std::int64_t count) {
  const auto& score = scores.at(decision).at(choice);
  ASSERT_TRUE(score.has_value()) << decision << " " << choice;
  EXPECT_NEAR(score->mean, mean, 1e-12) << decision << " " << choice;
  EXPECT_NEAR(score->standard_error, standard_error, 1e-12) << decision << " " << choice;
  EXPECT_EQ(score->count, count);
}

TEST(WidthStatistics, WithoutBaselineByHand) {
  const auto space = two_by_two();
  WidthStatistics statistics(*space, {.baseline = ScoreBaseline::kNone});
  statistics.add(Arch{{0, 0}}, 1.0, 10);
  statistics.add(Arch{{1, 0}}, 3.0, 10);
  statistics.add(Arch{{0, 1}}, 2.0, 10);
  // Means 1.5 and 3, 2 and 2; the mean error is 2, which sums of two would count twice.
  const Scores scores = statistics.scores();
  expect_score(scores, 0, 0, 0.5, std::sqrt(0.5 / 2), 20);
  expect_score(scores, 0, 1, 2.0, std::sqrt(0.5), 10);
  expect_score(scores, 1, 0, 1.0, 1.0, 20);
  expect_score(scores, 1, 1, 1.0, std::sqrt(2.0), 10);
}

TEST(WidthStatistics, LessTheMeanOfTheNetsBeforeByHand) {
  const auto space = two_by_two();
  WidthStatistics statistics(*space, {.baseline = ScoreBaseline::kMean});
  statistics.add(Arch{{0, 0}}, 1.0, 10);      // sets the level: 0 for both widths
  statistics.add(Arch{{1, 0}}, 3.0, 10);      // 1 before: 2
  statistics.add(Arch{{0, 1}}, 2.0, 10);      // 2 before: 0
  const Scores scores = statistics.scores();  // half of the level in each
  expect_score(scores, 0, 0, 1.0, 0.0, 20);
  expect_score(scores, 0, 1, 3.0, 0.0, 10);
  expect_score(scores, 1, 0, 2.0, 1.0, 20);
  expect_score(scores, 1, 1, 1.0, std::sqrt(2.0), 10);
}

TEST(WidthStatistics, LessWhatTheOtherWidthsCostByHand) {
  const auto space = two_by_two();
  WidthStatistics statistics(*space, {.baseline = ScoreBaseline::kResidual});
  statistics.add(Arch{{0, 0}}, 1.0, 10);
  statistics.add(Arch{{1, 0}}, 3.0, 10);  // 2 for both; the level is 2
  statistics.add(Arch{{0, 1}}, 2.0, 10);  // 0 for both
  // The first decision's second width is trusted for 2 / (1 + 2) of 1 draw: it explains 2/3.
  statistics.add(Arch{{1, 1}}, 5.0, 10);  // 3 for the first width, 5 - 2 - 2/3 for the second
  const double level = 2 + (5 - 2.0 / 3 - 2) / 4;
  const Scores scores = statistics.scores();
  EXPECT_NEAR(scores.at(0).at(0)->mean, level / 2, 1e-12);
  EXPECT_NEAR(scores.at(0).at(1)->mean, 2.5 + level / 2, 1e-12);
  EXPECT_NEAR(scores.at(1).at(0)->mean, 1.0 + level / 2, 1e-12);
  EXPECT_NEAR(scores.at(1).at(1)->mean, 7.0 / 6 + level / 2, 1e-12);
}

TEST(WidthStatistics, WhatWasNotDrawnIsUnknown) {
  const auto space = two_by_two();
  WidthStatistics statistics(*space, {});
  EXPECT_FALSE(statistics.scores().at(0).at(0).has_value());
  EXPECT_EQ(statistics.estimates(), (std::vector<std::vector<double>>{{0, 0}, {0, 0}}));
  statistics.add(Arch{{1, 0}}, 1.0, 4);
  EXPECT_FALSE(statistics.scores().at(0).at(1).has_value()) << "one draw has no standard error";
  statistics.add(Arch{{1, 0}}, 2.0, 4);
  const Scores scores = statistics.scores();
  EXPECT_TRUE(scores.at(0).at(1).has_value());
  EXPECT_FALSE(scores.at(0).at(0).has_value());
  EXPECT_FALSE(scores.at(1).at(1).has_value());
  const auto estimates = statistics.estimates();
  EXPECT_EQ(estimates[0][0], estimates[0][1]) << "as the mean of the others";
}

TEST(WidthStatistics, ForgetsWhatIsOlderThanTheWindow) {
  const auto space = two_by_two();
  // A part is 10 images, a draw: sixteen of them, and the one that is being forgotten.
  WidthStatistics statistics(*space, {.window_images = 160, .baseline = ScoreBaseline::kNone});
  statistics.add(Arch{{1, 1}}, 7.0, 10);  // never drawn again: not forgotten
  for (int i = 0; i < 100; ++i) {
    statistics.add(Arch{{0, 0}}, i, 10);
  }
  const Scores scores = statistics.scores();
  EXPECT_EQ(scores.at(0).at(0)->count, 160);
  EXPECT_EQ(scores.at(0).at(1)->count, 10);
  // The last sixteen errors, 84 to 99.
  const double surplus = 7.0 - scores.at(0).at(1)->mean;
  EXPECT_NEAR(scores.at(0).at(0)->mean, 91.5 - surplus, 1e-9);
}

/// How far scores are from the truth, each decision about its own mean.
double deviation(const Scores& scores, const std::vector<std::vector<double>>& truth) {
  double squares = 0;
  int count = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    double mean = 0;
    double true_mean = 0;
    for (std::size_t c = 0; c < truth[i].size(); ++c) {
      mean += scores.at(i).at(c).value().mean / static_cast<double>(truth[i].size());
      true_mean += truth[i][c] / static_cast<double>(truth[i].size());
    }
    for (std::size_t c = 0; c < truth[i].size(); ++c) {
      squares += std::pow(scores.at(i).at(c)->mean - mean - truth[i][c] + true_mean, 2);
      ++count;
    }
  }
  return std::sqrt(squares / count);
}

/// Nets of the full MobileNet space whose errors are sums over their widths, with the noise of a
/// batch, while all errors fall as training goes on.
class KnownWidths : public ::testing::Test {
 protected:
  KnownWidths() {
    Rng rng(5);
    for (const space::Decision& decision : space_->decisions()) {
      auto& row = truth_.emplace_back();
      for (int c = 0; c < decision.num_choices(); ++c) {
        row.push_back(0.2 * std::exp(-0.3 * c) * (0.5 + rng.uniform()));
      }
    }
  }
  WidthStatistics after(int draws, ScoreBaseline baseline) const {
    WidthStatistics statistics(*space_, {.window_images = 1 << 20, .baseline = baseline});
    Rng rng(6);
    for (int draw = 0; draw < draws; ++draw) {
      const Arch arch = space_->sample(rng);
      double error = 3.0 * std::exp(-draw / 500.0) + 0.05 * rng.normal();
      for (std::size_t i = 0; i < truth_.size(); ++i) {
        error += truth_[i][arch.choices[i]];
      }
      statistics.add(arch, error, 128);
    }
    return statistics;
  }
  std::unique_ptr<space::Space> space_ = space::make_space("mobilenet_v1_widths");
  std::vector<std::vector<double>> truth_;
};

TEST_F(KnownWidths, EachBaselineBringsTheScoresNearer) {
  const double none = deviation(after(3000, ScoreBaseline::kNone).scores(), truth_);
  const double mean = deviation(after(3000, ScoreBaseline::kMean).scores(), truth_);
  const double residual = deviation(after(3000, ScoreBaseline::kResidual).scores(), truth_);
  RecordProperty("deviation_none", std::to_string(none));
  RecordProperty("deviation_mean", std::to_string(mean));
  RecordProperty("deviation_residual", std::to_string(residual));
  EXPECT_LT(mean, 0.5 * none);
  EXPECT_LT(residual, 0.7 * mean);
}

TEST_F(KnownWidths, StandardErrorsAreOfTheRightSize) {
  const Scores scores = after(3000, ScoreBaseline::kResidual).scores();
  double squares = 0;
  int count = 0;
  for (std::size_t i = 0; i < truth_.size(); ++i) {
    for (std::size_t c = 0; c < truth_[i].size(); ++c) {
      for (std::size_t other = 0; other < c; ++other) {  // differences alone have a truth
        const double off = scores.at(i).at(c)->mean - scores.at(i).at(other)->mean -
                           (truth_[i][c] - truth_[i][other]);
        squares += off * off /
                   (std::pow(scores.at(i).at(c)->standard_error, 2) +
                    std::pow(scores.at(i).at(other)->standard_error, 2));
        ++count;
      }
    }
  }
  EXPECT_GT(std::sqrt(squares / count), 0.5);
  EXPECT_LT(std::sqrt(squares / count), 1.5);
}

TEST_F(KnownWidths, ScoresSumToErrors) {
  const Scores scores = after(8000, ScoreBaseline::kResidual).scores();
  Rng rng(9);
  for (int i = 0; i < 20; ++i) {
    const Arch arch = space_->sample(rng);
    double truth = 0;
    double sum = 0;
    for (std::size_t d = 0; d < truth_.size(); ++d) {
      truth += truth_[d][arch.choices[d]];
      sum += scores.at(d).at(arch.choices[d])->mean;
    }
    EXPECT_NEAR(sum, truth, 0.1);
  }
}

TEST_F(KnownWidths, GoesOnFromItsStateToTheBit) {
  const WidthStatistics before = after(500, ScoreBaseline::kResidual);
  WidthStatistics again(*space_, {.window_images = 1 << 20});
  again.restore(nlohmann::json::parse(before.state().dump()));
  WidthStatistics goes_on = before;
  Rng rng(7);
  for (int i = 0; i < 100; ++i) {
    const Arch arch = space_->sample(rng);
    const double error = rng.normal();
    goes_on.add(arch, error, 32);
    again.add(arch, error, 32);
  }
  EXPECT_EQ(again.state(), goes_on.state());
  EXPECT_EQ(again.estimates(), goes_on.estimates());
}

TEST(WidthStatistics, SaysWhatIsWrong) {
  const auto space = two_by_two();
  EXPECT_EQ(
      text_thrown<std::invalid_argument>([&] { WidthStatistics(*space, {.window_images = 0}); }),
      "[train::WidthStatistics] window_images must be >= 1, got 0");
  WidthStatistics statistics(*space, {});
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              statistics.add(Arch{{0, 0}}, 1, 0);
            }),
            "[train::WidthStatistics::add] images must be >= 1, got 0");
  nlohmann::json state = statistics.state();
  const std::string damaged = "width scores of the checkpoint: are of another space, or damaged";
  for (const auto& [pointer, value] : std::vector<std::pair<std::string, nlohmann::json>>{
           {"/recent", nlohmann::json::array()},
           {"/recent/0", nlohmann::json::array({1})},
           {"/recent/0/0", "x"},
           {"/recent/1/1", nlohmann::json::array({nlohmann::json::array({1, 2})})},
           {"/recent/1/1", nlohmann::json::array({"x"})}}) {
    nlohmann::json spoilt = state;
    spoilt[nlohmann::json::json_pointer(pointer)] = value;
    EXPECT_EQ(text_thrown<Error>([&] { statistics.restore(spoilt); }), damaged) << pointer;
  }
}

}  // namespace
}  // namespace lathe::train
