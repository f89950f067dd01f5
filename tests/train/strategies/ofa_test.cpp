// Phases as in the paper, by hand for the published spaces; what each step trains.
#include "lathe/train/strategies/ofa.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe::train {
namespace {

using lathe::testing::text_thrown;

struct Row {
  std::string name;
  double epochs;
  int nets;
  bool sorts;
  bool operator==(const Row&) const = default;
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name << " " << row.epochs << " " << row.nets << " " << row.sorts;
}

std::vector<Row> rows(const std::string& space) {
  std::vector<Row> rows;
  for (const OfaPhase& phase : ofa_phases(*space::make_space(space))) {
    rows.push_back({phase.name, phase.epochs, phase.nets_per_step, phase.sorts_channels});
  }
  return rows;
}

TEST(OfaPhases, AreThePapersWhereEverythingIsElastic) {
  EXPECT_EQ(rows("ofa_mbv3_w1.0"), (std::vector<Row>{{"teacher", 180, 1, false},
                                                     {"ks", 125, 1, false},
                                                     {"d 1", 25, 2, false},
                                                     {"d 2", 125, 2, false},
                                                     {"e 1", 25, 4, true},
                                                     {"e 2", 125, 4, true}}));  // 605 epochs
}

TEST(OfaPhases, AreCompOfasWhereDepthAndExpansionAreTied) {
  EXPECT_EQ(rows("compofa_mbv3"),
            (std::vector<Row>{
                {"teacher", 180, 1, false}, {"d 1", 25, 4, true}, {"d 2", 125, 4, true}}));  // 330
}

TEST(OfaPhases, HaveThePapersRates) {
  const auto phases = ofa_phases(*space::make_space("ofa_mbv3_w1.0"));
  const std::vector<double> peaks{2.6, 0.96, 0.08, 0.24, 0.08, 0.24};
  for (std::size_t i = 0; i < peaks.size(); ++i) {
    EXPECT_NEAR(2.6 * phases.at(i).peak_share, peaks[i], 1e-12);
  }
}

class OfaTest : public ::testing::Test {
 protected:
  std::unique_ptr<space::Space> space_ = space::make_space("ofa_mbv3_w1.0");
  OfaOptions options_{.phases = ofa_phases(*space_), .total_steps = 1210, .learning_rate = 2.6};
  std::unique_ptr<Strategy> strategy_ = make_ofa(*space_, options_);
  // Two steps an epoch.
  const std::vector<std::int64_t> begins_{0, 360, 610, 660, 910, 960};

  /// The choices that steps [begin, end) draw, by group but for resolution, as what they stand for.
  std::map<std::string, std::set<double>> drawn(std::int64_t begin, std::int64_t end) const {
    std::map<std::string, std::set<double>> values;
    for (std::int64_t step = begin; step < end; ++step) {
      const StepPlan plan = strategy_->plan(step);
      for (const Pass& pass : plan.passes) {
        for (std::size_t i = 0; i < pass.arch.choices.size(); ++i) {
          const space::Decision& decision = space_->decisions()[i];
          if (space_->alive(pass.arch, static_cast<int>(i))) {
            values[decision.group].insert(decision.values[pass.arch.choices[i]]);
          }
        }
      }
    }
    EXPECT_GT(values["r"].size(), 10U) << "all sizes are drawn from the first step on";
    values.erase("r");
    return values;
  }
};

TEST_F(OfaTest, EveryPhaseHasAStepHoweverShortTheRun) {
  for (std::int64_t total = 6; total < 60; ++total) {
    options_.total_steps = total;
    const nlohmann::json phases = make_ofa(*space_, options_)->to_json().at("phases");
    std::vector<std::int64_t> begins;
    for (const nlohmann::json& phase : phases) begins.push_back(phase.at("begins"));
    begins.push_back(total);
    ASSERT_EQ(begins.size(), 7U);
    EXPECT_EQ(begins[0], 0);
    for (std::size_t p = 0; p < 6; ++p) EXPECT_LT(begins[p], begins[p + 1]) << total;
  }
  // Each with its one step: both sorts of channels are made, each within what was trained before.
  options_.total_steps = 6;
  const auto strategy = make_ofa(*space_, options_);
  for (std::int64_t step = 0; step < 6; ++step) {
    EXPECT_EQ(strategy->plan(step).passes.size(),
              std::vector<std::size_t>({1, 1, 2, 2, 4, 4}).at(static_cast<std::size_t>(step)));
    EXPECT_EQ(strategy->plan(step).sort_channels.has_value(), step >= 4);
    EXPECT_EQ(strategy->plan(step).keep_teacher, step == 1);
  }
}

TEST_F(OfaTest, OpensWhatEachPhaseOpens) {
  using Open = std::map<std::string, std::set<double>>;
  EXPECT_EQ(drawn(0, 20), (Open{{"ks", {7}}, {"d", {4}}, {"e", {6}}}));
  EXPECT_EQ(drawn(360, 400), (Open{{"ks", {3, 5, 7}}, {"d", {4}}, {"e", {6}}}));
  EXPECT_EQ(drawn(610, 650), (Open{{"ks", {3, 5, 7}}, {"d", {3, 4}}, {"e", {6}}}));
  EXPECT_EQ(drawn(660, 700), (Open{{"ks", {3, 5, 7}}, {"d", {2, 3, 4}}, {"e", {6}}}));
  EXPECT_EQ(drawn(910, 950), (Open{{"ks", {3, 5, 7}}, {"d", {2, 3, 4}}, {"e", {4, 6}}}));
  EXPECT_EQ(drawn(960, 1000), (Open{{"ks", {3, 5, 7}}, {"d", {2, 3, 4}}, {"e", {3, 4, 6}}}));
}

TEST_F(OfaTest, BeginsPhasesWithTheirTeacherSortAndRate) {
  for (std::int64_t step = 0; step < 1210; ++step) {
    const StepPlan plan = strategy_->plan(step);
    const bool begins =
        step > 0 && std::find(begins_.begin(), begins_.end(), step) != begins_.end();
    EXPECT_EQ(plan.restart_optimizer, begins) << step;
    EXPECT_EQ(plan.keep_teacher, step == 360) << step;
    EXPECT_EQ(plan.sort_channels.has_value(), step == 910 || step == 960) << step;
  }
  // Phases of 25 epochs have no warm-up: they begin at their peak.
  EXPECT_NEAR(strategy_->plan(610).learning_rate, 0.08, 1e-12);
  EXPECT_NEAR(strategy_->plan(910).learning_rate, 0.08, 1e-12);
  EXPECT_NEAR(strategy_->plan(660).learning_rate, 0.24 / 10, 1e-12);  // 5 epochs: 10 steps
  EXPECT_NEAR(strategy_->plan(670).learning_rate, 0.24, 1e-12);
}

TEST_F(OfaTest, KeepsTheWidthsThatAreTrained) {
  std::set<double> expansions;
  const StepPlan plan = strategy_->plan(960);
  for (const space::Arch& arch : plan.sort_channels->trained) {
    for (std::size_t i = 0; i < arch.choices.size(); ++i) {
      if (space_->decisions()[i].group == "e" && space_->alive(arch, static_cast<int>(i))) {
        expansions.insert(space_->decisions()[i].values[arch.choices[i]]);
      }
    }
  }
  EXPECT_TRUE(expansions.contains(4)) << "the widths of expansion 4 are trained already";
  EXPECT_FALSE(expansions.contains(3));
}

TEST_F(OfaTest, TrainsWithLabelsAndTheFixedTeacher) {
  const StepPlan plan = strategy_->plan(960);
  for (const Pass& pass : plan.passes) {
    ASSERT_EQ(pass.losses.size(), 2U);
    EXPECT_EQ(pass.losses[0].target, Target::kLabels);
    EXPECT_EQ(pass.losses[1].target, Target::kTeacher);
  }
  EXPECT_EQ(strategy_->plan(0).passes.size(), 1U);
  EXPECT_EQ(strategy_->plan(0).passes[0].losses.size(), 1U);
  EXPECT_EQ(strategy_->plan(400).passes.size(), 1U);
  EXPECT_EQ(strategy_->plan(700).passes.size(), 2U);
  EXPECT_EQ(strategy_->plan(1000).passes.size(), 4U);
}

TEST_F(OfaTest, SaysWhatIsWrong) {
  const auto text = [&](const OfaOptions& options) {
    return text_thrown<std::invalid_argument>([&] { make_ofa(*space_, options); });
  };
  EXPECT_EQ(text({.phases = {}, .total_steps = 5}),
            "[train::make_ofa] needs at least one phase and as many steps, got 0 phases and 5 "
            "steps");
  EXPECT_EQ(text({.phases = {{.name = "x"}}, .total_steps = 5}),
            "[train::make_ofa] phase x needs epochs and nets per step > 0, got 0.000000 and 1");
}

}  // namespace
}  // namespace lathe::train
