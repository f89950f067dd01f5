#include "lathe/latency/fit/adapt.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/latency/fit/operators.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/latency/models/linear_model.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe::latency {
namespace {

using lathe::testing::text_thrown;

// A device by what it takes to launch an operator, for a multiply-accumulate and a number moved.
BlockTable device(const space::Space& space, double launch, double mac, double number) {
  BlockCosts costs;
  for (const space::Block& block : space.distinct_blocks()) {
    double ms = 0.0;
    for (const Operator& op : operators_of(block)) {
      ms += launch + mac * op.macs() + number * op.moved();
    }
    costs.coefficients_ms[block.key()] = ms;
  }
  return {space, std::move(costs)};
}

std::vector<LatencySample> samples_of(const space::Space& space, const LatencyModel& model,
                                      int count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<LatencySample> samples;
  for (int i = 0; i < count; ++i) {
    const space::Arch arch = space.sample(rng);
    const double ms = model.predict_ms(arch);
    samples.push_back({.arch = arch, .median_ms = ms, .p90_ms = ms, .repeats = 1});
  }
  return samples;
}

TEST(AdaptTest, AFactorAndAnOffsetNeedFiveSamples) {
  const auto space = space::make_space("mbv3_28");
  const BlockTable slow = device(*space, 0.01, 1e-6, 1e-6);
  const BlockTable fast = slow.corrected({.bias_ms = 0.05, .scale = 0.3});
  const auto adapted = adapt(slow, *space, {.device = "fast"}, samples_of(*space, fast, 5, 1));
  EXPECT_EQ(adapted->fingerprint().device, "fast");
  EXPECT_LT(model_error(*adapted, samples_of(*space, fast, 100, 2)).mape, 1e-6);
}

TEST(AdaptTest, AnotherBalanceNeedsTheRidge) {
  const auto space = space::make_space("mbv3_28");
  const BlockTable launches = device(*space, 0.05, 1e-7, 1e-7);
  const BlockTable memory = device(*space, 0.001, 1e-7, 1e-5);
  const auto validation = samples_of(*space, memory, 100, 2);
  const auto few = samples_of(*space, memory, 25, 1);
  const double scaled_error =
      model_error(*adapt(launches, *space, {}, std::span(few).first(5)), validation).mape;
  const auto adapted = adapt(launches, *space, {}, few);
  EXPECT_LT(model_error(*adapted, validation).mape, 0.01);
  EXPECT_GT(scaled_error, 0.02);
  EXPECT_GT(model_error(*adapted, validation).spearman, 0.995);
}

TEST(AdaptTest, ManySamplesOfFewNetsAreNotEnoughForTheRidge) {
  const auto space = space::make_space("mbv3_28");
  const BlockTable launches = device(*space, 0.05, 1e-7, 1e-7);
  const BlockTable memory = device(*space, 0.001, 1e-7, 1e-5);
  const auto four = samples_of(*space, memory, 4, 1);
  std::vector<LatencySample> repeated;
  for (int i = 0; i < 10; ++i) repeated.insert(repeated.end(), four.begin(), four.end());
  const auto adapted = adapt(launches, *space, {}, repeated);
  // A factor and an offset keep the order.
  const auto others = samples_of(*space, launches, 50, 2);
  EXPECT_DOUBLE_EQ(model_error(*adapted, others).spearman, 1.0);
}

TEST(AdaptTest, OtherKindsAreScaled) {
  const auto space = space::make_space("mbv3_28");
  LinearCosts costs{.bias_ms = 1.0};
  Rng rng(1);
  for (int i = 0; i < space->encoding_size(); ++i) {
    costs.weights_ms.push_back(rng.uniform());
  }
  if (space->input_sizes().size() > 1) {
    costs.area_weights_ms = costs.weights_ms;
  }
  const LinearModel model(*space, costs);
  const auto twice = model.with_correction({.bias_ms = 0.5, .scale = 2});
  const auto adapted = adapt(model, *space, {}, samples_of(*space, *twice, 30, 1));
  EXPECT_LT(model_error(*adapted, samples_of(*space, *twice, 50, 2)).mape, 1e-6);
}

TEST(AdaptTest, RefusesTooLittle) {
  const auto space = space::make_space("mbv3_28");
  const BlockTable model = device(*space, 0.01, 1e-6, 1e-6);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { adapt(model, *space, {}, samples_of(*space, model, 4, 1)); }),
            "[latency::adapt] needs at least 5 samples, got 4");
}

}  // namespace
}  // namespace lathe::latency
