#include "lathe/latency/fit/ridge.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "core/temporary_folder.h"
#include "latency/latency_fixtures.h"
#include "lathe/latency/fit/block_covariance.h"
#include "lathe/latency/fit/operators.h"
#include "lathe/latency/samples/csv_import.h"
#include "lathe/space/builtin_spaces.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using lathe::testing::samples_of;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

// A device: a launch for each operator, its speed rising with the channels, and memory.
double device_ms(const space::Space& space, const space::Arch& arch) {
  double ms = 0.3;
  for (const space::Block& block : space.blocks(arch)) {
    for (const Operator& op : operators_of(block)) {
      ms += 0.01 + op.macs() / (1e6 * std::sqrt(op.out_channels)) + op.moved() / 1e6;
    }
  }
  return ms;
}

TEST(OperatorsTest, OfAnInvertedResidualBlock) {
  const space::Block block{.kind = space::BlockKind::kMbconv,
                           .name = "b",
                           .input = {8, 14, 14},
                           .output = {16, 7, 7},
                           .kernel = 5,
                           .stride = 2,
                           .mid_channels = 32,
                           .squeeze_excite = true,
                           .activation = graph::Activation::kHSwish};
  const std::vector<Operator> ops = operators_of(block);
  using enum OperatorKind;
  const std::vector<Operator> expected{
      {kPointwise, 8, 32, 14, 14, 1, true}, {kDepthwise, 32, 32, 14, 7, 5, true},
      {kPool, 32, 32, 7, 1, 1, true},       {kVector, 32, 8, 1, 1, 1, true},
      {kVector, 8, 32, 1, 1, 1, true},      {kMul, 32, 32, 7, 7, 1, true},
      {kPointwise, 32, 16, 7, 7, 1, true}};
  EXPECT_EQ(ops, expected);
  EXPECT_EQ(ops[1].macs(), 32 * 25 * 49);
  EXPECT_EQ(ops[1].moved(), 32 * 196 + 32 * 49 + 32 * 25);
  EXPECT_EQ(ops[5].macs(), 0);
}

TEST(BlockCovarianceTest, CostsOfBlocksAddUpToThoseOfNets) {
  const TinySpace space;
  const BlockCovariance covariance(space);
  Rng rng(1);
  std::vector<space::Arch> archs;
  for (int i = 0; i < 25; ++i) {
    archs.push_back(space.sample(rng));
  }
  const auto nets = covariance.incidence(archs);
  std::vector<double> variances;
  for (int g = 0; g < BlockCovariance::kNumGroups; ++g) {
    variances.push_back(rng.uniform());
  }
  MatrixXd sum = MatrixXd::Zero(25, 25);
  const std::vector<MatrixXd> grams = covariance.grams(nets);
  for (std::size_t g = 0; g < grams.size(); ++g) {
    EXPECT_NEAR((grams[g] - grams[g].transpose()).norm(), 0, 1e-9) << g;
    sum += variances[g] * grams[g];
  }
  const MatrixXd gram = covariance.gram(nets, variances);
  EXPECT_LT((gram - sum).norm(), 1e-9 * gram.norm());
  VectorXd dual(25);
  for (double& value : dual) {
    value = rng.normal();
  }
  EXPECT_LT((nets * covariance.block_costs(nets, variances, dual) - gram * dual).norm(),
            1e-9 * gram.norm());
}

TEST(RidgeTest, LearnsADeviceFromFewNets) {
  const auto space = space::make_space("mbv3_28");
  const BlockTable table = fit_ridge(*space, {}, samples_of(*space, device_ms, 80, 0.0, 1));
  EXPECT_TRUE(table.missing_keys().empty());
  EXPECT_TRUE(table.costs().fitted);
  const ModelError error = model_error(table, samples_of(*space, device_ms, 300, 0.0, 2));
  EXPECT_LT(error.mape, 0.003);
  EXPECT_GT(error.kendall, 0.98);
}

TEST(RidgeTest, IsNotLedAstrayByNoiseOrWildSamples) {
  const auto space = space::make_space("mbv3_28");
  std::vector<LatencySample> samples = samples_of(*space, device_ms, 100, 0.02, 3);
  for (std::size_t i = 0; i < samples.size(); i += 12) {
    samples[i].median_ms *= 2;
  }
  const BlockTable table = fit_ridge(*space, {}, samples);
  EXPECT_LT(model_error(table, samples_of(*space, device_ms, 300, 0.0, 4)).mape, 0.015);
}

TEST(RidgeTest, TheSameForTheSameSeed) {
  const TinySpace space;
  const std::vector<LatencySample> samples = samples_of(space, device_ms, 40, 0.02, 5);
  const RidgeOptions options{.max_strength_samples = 20, .max_samples = 30, .seed = 7};
  EXPECT_EQ(fit_ridge(space, {}, samples, options).costs(),
            fit_ridge(space, {}, samples, options).costs());
}

TEST(RidgeTest, IsSavedAsATableWhoseCoefficientsMayBeNegative) {
  const lathe::testing::TemporaryFolder dir;
  const TinySpace space;
  const BlockTable fitted = fit_ridge(space, {.space = "tiny", .num_classes = 10, .input_size = 24},
                                      samples_of(space, device_ms, 40, 0.02, 5));
  fitted.save(dir / "t.json");
  EXPECT_EQ(BlockTable::load(space, dir / "t.json").costs(), fitted.costs());
  BlockCosts costs = fitted.costs();
  costs.coefficients_ms.begin()->second = -1;
  BlockTable(space, costs).save(dir / "t.json");
  EXPECT_EQ(BlockTable::load(space, dir / "t.json").costs(), costs);
}

TEST(RidgeTest, FitsWhatABaseLeaves) {
  const TinySpace space;
  const std::vector<LatencySample> samples = samples_of(space, device_ms, 60, 0.0, 6);
  std::vector<double> base_ms;
  for (const LatencySample& sample : samples) {
    base_ms.push_back(3 * sample.median_ms - 0.1);
  }
  const RidgeOnBase fit = fit_ridge_on(base_ms, space, {}, samples);
  EXPECT_NEAR(fit.scale, 1.0 / 3, 1e-3);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    ASSERT_NEAR(fit.scale * base_ms[i] + fit.table.predict_ms(samples[i].arch),
                samples[i].median_ms, 1e-3 * samples[i].median_ms);
  }
}

TEST(RidgeTest, RefusesTooLittle) {
  const TinySpace space;
  std::vector<LatencySample> samples = samples_of(space, device_ms, 9, 0.0, 1);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { fit_ridge(space, {}, samples); }),
            "[latency::fit_ridge] needs at least 10 samples, got 9");
  samples = samples_of(space, device_ms, 10, 0.0, 1);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { fit_ridge_on(std::vector<double>(3), space, {}, samples); }),
            "[latency::fit_ridge] base_ms must have 10 values, got 3");
  samples[4].median_ms = NAN;
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { fit_ridge(space, {}, samples); }),
            "[latency::fit_ridge] median_ms must be > 0, got nan");
}

// The measurements that HELP published of 5,000 nets on four GPU settings. The bounds are what a
// first ridge with structure reached from three times the samples.
TEST(RidgeTest, PublishedGpuLatencies) {
  const char* data = std::getenv("LATHE_PUBLISHED_DATA");
  if (data == nullptr) {
    GTEST_SKIP() << "LATHE_PUBLISHED_DATA is not set";
  }
  const auto path = std::filesystem::path(data) / "device_latency/ofa_mbv3_gpus.csv";
  const auto space = space::make_space("ofa_mbv3_w1.0");
  const auto error_of = [&](const std::string& column) {
    std::vector<LatencySample> samples = read_latency_csv(path, *space, column);
    EXPECT_EQ(samples.size(), 5000U);
    Rng rng(1);
    shuffle(std::span(samples), rng);
    const auto all = std::span<const LatencySample>(samples);
    return model_error(fit_ridge(*space, {}, all.first(100)), all.subspan(4000)).mape;
  };
  EXPECT_LT(error_of("titan_rtx_32"), 0.0083);
  EXPECT_LT(error_of("titan_xp_64"), 0.022);
  EXPECT_LT(error_of("v100_1"), 0.043);
}

}  // namespace
}  // namespace lathe::latency
