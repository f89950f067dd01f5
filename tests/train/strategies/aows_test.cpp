// AOWS on a chain small enough to list every net of: which nets it draws, and how it goes on.
#include "lathe/train/strategies/aows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "core/temporary_folder.h"
#include "latency/table_by_macs.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/nn/supernet.h"
#include "lathe/train/trainer.h"
#include "space/tiny_spaces.h"
#include "train/pattern_images.h"
#include "train/stopped.h"

namespace lathe::train {
namespace {

using lathe::testing::Stopped;
using lathe::testing::text_thrown;
using space::Arch;

constexpr std::int64_t kSteps = 400;
constexpr double kWidths = 6;

class AowsTest : public ::testing::Test {
 protected:
  static std::shared_ptr<const space::Space> residual_chain() {
    space::ChainSpec spec = testing::tiny_residual_chain();
    spec.task = {.in_channels = 1, .num_classes = 4, .input_size = testing::kPatternSize};
    return space::make_chain_space(spec);
  }
  AowsOptions options(std::vector<double> targets_ms, int random_subnets = 1) const {
    return {.slimmable = {.schedule = {.total_steps = kSteps},
                          .random_subnets = random_subnets,
                          .seed = 4},
            .targets_ms = std::move(targets_ms),
            .temperature = {{{0.25, 1.0}, {0.5, 0.01}, {1.0, 0.005}}},
            .steps_per_epoch = 100};
  }
  double at_share(double share) const {
    const double low = latency_.predict_ms(space_->smallest());
    return low + share * (latency_.predict_ms(space_->largest()) - low);
  }
  /// Errors of nets as if wider were better by a known amount a layer.
  double error_of(const Arch& arch) const {
    double error = 0;
    for (std::size_t i = 0; i < arch.choices.size(); ++i) {
      error += 0.1 * static_cast<double>(i + 1) / (1.0 + static_cast<double>(arch.choices[i]));
    }
    return error;
  }
  /// The observations that steps [begin, end) would bring.
  void feed(Strategy& strategy, std::int64_t begin, std::int64_t end) const {
    for (std::int64_t step = begin; step < end; ++step) {
      const StepPlan plan = strategy.plan(step);
      std::vector<Observation> observations{{.pass = 0, .losses = {0.25F, 0.75F}}};
      for (std::size_t p = 2; p < plan.passes.size(); ++p) {
        const auto loss = static_cast<float>(0.5 + error_of(plan.passes[p].arch));
        observations.push_back({.pass = p, .losses = {loss, loss}});
      }
      strategy.observe(step, observations);
    }
  }
  /// Probabilities by enumeration, with the scores that the strategy has and its gamma.
  std::map<Arch, double> boltzmann(const Strategy& strategy, double paper_temperature,
                                   std::size_t target = 0) const {
    WidthStatistics statistics(*space_, {});
    const nlohmann::json state = strategy.state();
    statistics.restore(state.at("scores"));
    const auto error = statistics.estimates();
    const double gamma = state.at("gamma").at(target).get<double>();
    std::map<Arch, double> probabilities;
    double z = 0;
    for (const Arch& arch : testing::every_arch(*space_)) {
      double energy = gamma * latency_.predict_ms(arch);
      for (std::size_t i = 0; i < error.size(); ++i) energy += error[i][arch.choices[i]];
      z += probabilities[arch] = std::exp(-energy / (kWidths * paper_temperature));
    }
    for (auto& [arch, probability] : probabilities) probability /= z;
    return probabilities;
  }
  double expected_ms(const std::map<Arch, double>& probabilities) const {
    double sum = 0;
    for (const auto& [arch, probability] : probabilities) {
      sum += probability * latency_.predict_ms(arch);
    }
    return sum;
  }

  std::shared_ptr<const space::Space> space_ = residual_chain();
  latency::BlockTable latency_ = testing::table_by_macs(*space_, {.space = space_->name()});
};

TEST_F(AowsTest, DrawsUniformlyBeforeTheStart) {
  const auto strategy = make_aows(*space_, latency_, options({at_share(0.3)}));
  std::map<Arch, int> drawn;
  feed(*strategy, 0, 99);
  for (std::int64_t step = 0; step < 100; ++step) ++drawn[strategy->plan(step).passes.at(2).arch];
  EXPECT_GT(drawn.size(), 50U);  // of 96
  EXPECT_EQ(strategy->figures().size(), 1U) << "no temperature yet";
}

TEST_F(AowsTest, ExpectedLatencyOfWhatItDrawsIsTheTarget) {
  for (const double share : {0.1, 0.3, 0.5}) {
    const double target_ms = at_share(share);
    const auto strategy = make_aows(*space_, latency_, options({target_ms}));
    feed(*strategy, 0, 120);
    const double temperature = std::pow(0.01, 20.0 / 100);  // log-linear from 1 to 0.01
    EXPECT_NEAR(strategy->figures()["temperature"].get<double>(), temperature, 1e-12);
    const double expected = expected_ms(boltzmann(*strategy, temperature));
    EXPECT_NEAR(strategy->figures()["expected_latency_ms"].get<double>(), expected, 1e-9);
    if (strategy->figures()["gamma_per_ms"].get<double>() > 0) {
      EXPECT_NEAR(expected, target_ms, 1.01e-4 * target_ms);
    } else {
      EXPECT_LE(expected, target_ms * 1.0001);
    }
  }
}

TEST_F(AowsTest, DrawsByTheBoltzmannDistribution) {
  const auto strategy = make_aows(*space_, latency_, options({at_share(0.3)}, 64));
  feed(*strategy, 0, 160);
  const std::map<Arch, double> probabilities =
      boltzmann(*strategy, strategy->figures()["temperature"].get<double>());
  // Plans of later steps by the same scores: as many draws of one distribution.
  std::map<Arch, int> drawn;
  int draws = 0;
  for (std::int64_t step = 160; step < 360; ++step) {
    const StepPlan plan = strategy->plan(step);
    for (std::size_t p = 2; p < plan.passes.size(); ++p) {
      ++drawn[plan.passes[p].arch];
      ++draws;
    }
  }
  double chi_squared = 0;
  int cells = 0;
  for (const auto& [arch, probability] : probabilities) {
    const double expected = probability * draws;
    if (expected >= 5) {
      chi_squared += std::pow(drawn[arch] - expected, 2) / expected;
      ++cells;
    }
  }
  ASSERT_GT(cells, 10);
  EXPECT_LT(chi_squared, cells + 5 * std::sqrt(2.0 * cells));
}

TEST_F(AowsTest, ConcentratesOnNetsOfTheTarget) {
  const double target_ms = at_share(0.3);
  const auto strategy = make_aows(*space_, latency_, options({target_ms}));
  feed(*strategy, 0, 100);
  const double before = strategy->figures()["within_5_percent"].get<double>();
  feed(*strategy, 100, kSteps);
  const double after = strategy->figures()["within_5_percent"].get<double>();
  EXPECT_LT(before, 0.4);
  EXPECT_GT(after, before + 0.2);
}

TEST_F(AowsTest, SeveralTargetsHaveAPriceEachAndShareTheDraws) {
  const std::vector<double> targets{at_share(0.15), at_share(0.5)};
  const auto strategy = make_aows(*space_, latency_, options(targets, 8));
  feed(*strategy, 0, kSteps - 1);
  const nlohmann::ordered_json figures = strategy->figures();
  EXPECT_GT(figures["gamma_per_ms_1"].get<double>(), figures["gamma_per_ms_2"].get<double>());
  for (std::size_t k = 0; k < 2; ++k) {
    const auto probabilities = boltzmann(*strategy, figures["temperature"].get<double>(), k);
    EXPECT_LE(expected_ms(probabilities), targets[k] * 1.0002);
  }
  int fast = 0;
  for (std::int64_t step = kSteps - 60; step < kSteps; ++step) {
    const StepPlan plan = strategy->plan(step);
    for (std::size_t p = 2; p < plan.passes.size(); ++p) {
      fast += latency_.predict_ms(plan.passes[p].arch) < at_share(0.3) ? 1 : 0;
    }
  }
  EXPECT_GT(fast, 160);  // of 480, half of them for the fast target
  EXPECT_LT(fast, 320);
}

TEST_F(AowsTest, ThePapersPriceOvershootsWhileItIsHot) {
  AowsOptions paper = options({at_share(0.15)});
  paper.price = PriceRule::kZeroTemperature;
  const auto strategy = make_aows(*space_, latency_, paper);
  feed(*strategy, 0, 101);
  const auto probabilities = boltzmann(*strategy, strategy->figures()["temperature"].get<double>());
  EXPECT_GT(expected_ms(probabilities), 1.05 * paper.targets_ms[0]);
}

TEST_F(AowsTest, GoesOnFromItsState) {
  const AowsOptions two = options({at_share(0.2), at_share(0.4)}, 2);
  const auto whole = make_aows(*space_, latency_, two);
  feed(*whole, 0, 300);
  for (const std::int64_t stop : {40, 100, 150, 250}) {
    const auto before = make_aows(*space_, latency_, two);
    feed(*before, 0, stop);
    const auto after = make_aows(*space_, latency_, two);
    after->restore(nlohmann::json::parse(before->state().dump()));
    feed(*after, stop, 300);
    EXPECT_EQ(after->state(), whole->state()) << stop;
    EXPECT_EQ(after->figures(), whole->figures());
    EXPECT_EQ(after->plan(300).passes.at(3).arch, whole->plan(300).passes.at(3).arch);
  }
  nlohmann::json other = whole->state();
  other["gamma"] = {1.0};
  EXPECT_EQ(text_thrown<Error>([&] { whole->restore(other); }),
            "state of aows in the checkpoint: is of 1 targets, expected 2");
}

TEST_F(AowsTest, ATrainingThatStoppedEndsWithTheSameBytes) {
  const data::Dataset dataset = testing::pattern_dataset(64);  // 8 steps an epoch
  AowsOptions aows = options({at_share(0.3)});
  aows.slimmable.schedule = {.peak = 0.05, .total_steps = 32};
  aows.steps_per_epoch = 8;
  const auto train_in = [&](const std::filesystem::path& folder, std::int64_t stop) {
    nn::Supernet supernet(space_, {.seed = 1, .replicas = 2});
    const auto strategy = make_aows(*space_, latency_, aows);
    train(supernet, *space_, *strategy, dataset,
          {.batch_size = 8, .validation_images = 16, .checkpoint_steps = 5, .folder = folder},
          [&](const Progress& progress) {
            if (progress.done >= stop) throw Stopped();
          });
    return read_file(checkpoint_path(folder));
  };
  const testing::TemporaryFolder whole;
  const std::string expected = train_in(whole.path(), 1000);
  for (const std::int64_t stop : {10, 20, 30}) {
    const testing::TemporaryFolder folder;
    EXPECT_THROW(train_in(folder.path(), stop), Stopped);
    EXPECT_TRUE(train_in(folder.path(), 1000) == expected) << stop;
  }
  const auto lines = JsonLines(whole / "metrics.jsonl").read();
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_TRUE(lines[0].contains("within_5_percent"));
  EXPECT_TRUE(lines[3].contains("expected_latency_ms"));
}

TEST_F(AowsTest, SaysWhatIsWrong) {
  const double fastest_ms = latency_.predict_ms(space_->smallest());
  const std::string text =
      text_thrown<Error>([&] { make_aows(*space_, latency_, options({0.5 * fastest_ms})); });
  const std::size_t end = text.rfind(' ');
  const double named = std::stod(text.substr(text.rfind(' ', end - 1)));
  EXPECT_GE(named, fastest_ms) << "can be typed back";
  EXPECT_LT(named, fastest_ms + 0.001);
  EXPECT_NO_THROW(make_aows(*space_, latency_, options({named})));
  AowsOptions spoilt = options({at_share(0.5)});
  spoilt.temperature.points = {{0.25, 0.1}, {0.5, 1.0}};
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { make_aows(*space_, latency_, spoilt); }),
            "[train::make_aows] temperatures must be > 0 and fall over ascending shares within "
            "(0, 1]");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { make_aows(*space_, latency_, options({})); }),
            "[train::make_aows] needs a target and steps_per_epoch >= 1");
}

TEST(TemperatureSchedule, IsThePapersOverTwentyEpochs) {
  const TemperatureSchedule paper;
  EXPECT_EQ(paper.start(), 5.0 / 20);
  EXPECT_NEAR(paper.at(5.0 / 20), 1.0, 1e-12);
  EXPECT_NEAR(paper.at(5.5 / 20), 1e-1, 1e-12);
  EXPECT_NEAR(paper.at(6.0 / 20), 1e-2, 1e-12);
  EXPECT_NEAR(paper.at(8.0 / 20), std::sqrt(1e-5), 1e-12);
  EXPECT_NEAR(paper.at(10.0 / 20), 1e-3, 1e-12);
  EXPECT_NEAR(paper.at(1.0), 5e-4, 1e-12);
}

}  // namespace
}  // namespace lathe::train
