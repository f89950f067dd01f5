#include "lathe/latency/fit/additive.h"

#include <gtest/gtest.h>

#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "latency/latency_fixtures.h"
#include "lathe/latency/fit/block_covariance.h"
#include "lathe/latency/fit/operators.h"
#include "lathe/latency/samples/sample_plan.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/families/chain_family.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::samples_of;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

std::unique_ptr<space::Space> small_chain() {
  return space::make_chain_space({.name = "chain",
                                  .task = {.num_classes = 10, .input_size = 16},
                                  .layers = {{{8, 16}, 2, space::ChainLayerKind::kConv},
                                             {{8, 16, 24}, 1},
                                             {{8, 16, 24}, 1},
                                             {{16, 32}, 2}}});
}

double device_ms(const space::Space& space, const space::Arch& arch) {
  double ms = 0.2;
  for (const space::Block& block : space.blocks(arch)) {
    for (const Operator& op : operators_of(block)) {
      ms += 0.01 + op.macs() / 3e5 + op.moved() / 1e6 + (op.out_channels == 24 ? 0.02 : 0.0);
    }
  }
  return ms;
}

Certainty certainty_of(const AdditiveFit& fit, const space::Arch& arch) {
  return fit.table.certainty({&arch, 1}).at(0);
}

TEST(AdditiveTest, ExplainsWholeNetsToTheRankOfTheSamples) {
  const auto space = small_chain();
  const auto samples = samples_of(*space, device_ms, 200, 0.0, 1);
  const AdditiveFit fit = fit_additive(*space, {}, samples);
  EXPECT_EQ(fit.variables, static_cast<int>(space->distinct_blocks().size()));
  std::vector<space::Arch> archs;
  for (const LatencySample& sample : samples) archs.push_back(sample.arch);
  const Eigen::MatrixXd rows(BlockCovariance(*space).incidence(archs));
  EXPECT_EQ(fit.rank, rows.completeOrthogonalDecomposition().rank());
  EXPECT_LT(fit.rank, fit.variables);  // the gauge
  EXPECT_LT(model_error(fit.table, samples_of(*space, device_ms, 100, 0.0, 2)).mape, 1e-3);
  EXPECT_TRUE(certainty_of(fit, space->largest()).identifiable);
}

// What biased sampling is for (AOWS, supplement A): 116 of 1,612 blocks' costs are the gauge's, and
// each biased net adds to what is known of the others. Uniform ones may need a third more.
TEST(AdditiveTest, BiasedNetsDetermineTheWidthSpaceSoonest) {
  const auto space = space::make_space("mobilenet_v1_widths", {.input_size = 64});
  ASSERT_EQ(space->distinct_blocks().size(), 1612U);
  const auto rank = [&](int samples, bool biased) {
    return identifiable_rank(
        *space, sample_plan(*space, {.samples = samples, .biased = biased, .seed = 2}));
  };
  EXPECT_EQ(rank(1496, true), 1496);
  EXPECT_LT(rank(1900, false), 1496);
}

TEST(AdditiveTest, KnowsItsError) {
  const TinySpace space;
  const AdditiveFit fit = fit_additive(space, {}, samples_of(space, device_ms, 300, 0.02, 1));
  double squares = 0.0;
  int count = 0;
  for (const LatencySample& sample : samples_of(space, device_ms, 200, 0.0, 2)) {
    const double error_ms = fit.table.predict_ms(sample.arch) - sample.median_ms;
    squares += std::pow(error_ms / certainty_of(fit, sample.arch).deviation_ms, 2);
    ++count;
  }
  EXPECT_LT(std::sqrt(squares / count), 2.0);
  EXPECT_GT(std::sqrt(squares / count), 0.4);
}

TEST(AdditiveTest, SaysWhatTheSamplesDontTell) {
  const auto space = small_chain();
  std::vector<LatencySample> samples = samples_of(*space, device_ms, 400, 0.0, 1);
  std::erase_if(samples, [](const LatencySample& sample) {
    return sample.arch.choices[2] == 2 && sample.arch.choices[3] == 1;
  });
  const AdditiveFit fit = fit_additive(*space, {}, samples);
  EXPECT_FALSE(
      certainty_of(fit, space->largest()).identifiable);  // has the block that never occurred
  EXPECT_TRUE(certainty_of(fit, space->smallest()).identifiable);
  // The prior still gives it a sensible cost.
  EXPECT_NEAR(fit.table.predict_ms(space->largest()) / device_ms(*space, space->largest()), 1.0,
              0.1);
}

TEST(AdditiveTest, StaysAsSureInAFile) {
  const lathe::testing::TemporaryFolder dir;
  const auto space = small_chain();
  const AdditiveFit fit =
      fit_additive(*space, {.space = "chain", .num_classes = 10, .input_size = 16},
                   samples_of(*space, device_ms, 60, 0.02, 1));
  fit.table.save(dir / "m.json");
  const BlockTable loaded = BlockTable::load(*space, dir / "m.json");
  EXPECT_EQ(loaded.costs(), fit.table.costs());
  const space::Arch arch = space->largest();
  EXPECT_EQ(loaded.certainty({&arch, 1})[0].deviation_ms, certainty_of(fit, arch).deviation_ms);
  // Another device's table knows nothing of these samples.
  EXPECT_TRUE(loaded.with_correction({.bias_ms = 0, .scale = 2})->certainty({&arch, 1}).empty());
}

TEST(AdditiveTest, ConstraintsHoldBackWhatNoiseWouldBreak) {
  const auto space = small_chain();
  const auto samples = samples_of(*space, device_ms, 60, 0.3, 3);
  const auto least = [&](double strength) {
    const AdditiveFit fit = fit_additive(
        *space, {}, samples, {.prior_strengths = {1e-4}, .constraint_strengths = {strength}});
    double smallest = 1.0;
    for (const auto& [key, ms] : fit.table.costs().coefficients_ms) {
      smallest = std::min(smallest, ms);
    }
    return std::pair(smallest, fit.constraint_strength);
  };
  const auto [free, no_strength] = least(0.0);
  EXPECT_EQ(no_strength, 0.0);
  EXPECT_LT(free, -0.01);
  const auto [held, strength] = least(1e4);
  if (strength > 0) {  // chosen if it helped on the samples left out
    EXPECT_GT(held, free / 10);
  }
}

TEST(AdditiveTest, RefusesTooLittle) {
  const TinySpace space;
  auto samples = samples_of(space, device_ms, 19, 0.0, 1);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { fit_additive(space, {}, samples); }),
            "[latency::fit_additive] needs at least 20 samples, got 19");
  samples = samples_of(space, device_ms, 20, 0.0, 1);
  samples[3].median_ms = 0;
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { fit_additive(space, {}, samples); }),
            "[latency::fit_additive] median_ms must be > 0, got 0.000000");
}

}  // namespace
}  // namespace lathe::latency
