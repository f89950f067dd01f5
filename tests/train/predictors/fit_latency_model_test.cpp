#include "lathe/train/predictors/fit_latency_model.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/latency/models/perceptron_model.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/space/same_net.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::train {
namespace {

using latency::LatencySample;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

/// A sum over choices, and what no sum explains.
std::vector<LatencySample> samples_of(const space::Space& space, int count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<LatencySample> samples;
  for (int i = 0; i < count; ++i) {
    const space::Arch arch = space.sample(rng);
    double ms = 2.0;
    for (const float bit : space.encode(arch)) ms += 0.01 * bit;
    ms += 0.1 * arch.choices[0] + 0.2 * arch.choices[1];
    if (arch.choices[0] == 1 && arch.choices[1] == 1) ms += 0.4;
    samples.push_back({.arch = arch, .median_ms = ms, .p90_ms = ms, .repeats = 1});
  }
  return samples;
}

TEST(FitLatencyModelTest, EveryKindFits) {
  const TinySpace space;
  const auto train = samples_of(space, 300, 1);
  const auto validation = samples_of(space, 200, 2);
  std::map<std::string, double> error;
  for (const std::string& name : latency_model_kinds()) {
    const LatencyModelKind kind = latency_model_kind(name);
    EXPECT_EQ(to_string(kind), name);
    const auto model = fit_latency_model(kind, space, {.device = "d"}, train);
    EXPECT_EQ(model->fingerprint().device, "d");
    EXPECT_FALSE(model->validation().has_value());
    error[name] = model_error(*model, validation).mape;
    EXPECT_LT(error[name], 0.1) << name;
    const auto again = fit_latency_model(kind, space, {.device = "d"}, train);
    EXPECT_EQ(again->predict_ms(space.largest()), model->predict_ms(space.largest())) << name;
  }
  EXPECT_LT(error["perceptron"], error["linear"] / 2);
  EXPECT_LT(error["residual"], error["linear"] / 2);
}

TEST(FitLatencyModelTest, CrossValidationIsFitsWithoutEachPart) {
  const TinySpace space;
  const auto samples = samples_of(space, 60, 1);
  std::vector<double> predicted(samples.size());
  std::vector<double> measured;
  for (const LatencySample& sample : samples) measured.push_back(sample.median_ms);
  for (const auto& fold : regress::grouped_folds(space::number_nets(space, samples), 4, 9)) {
    std::vector<LatencySample> rest;
    for (const std::size_t i : fold.train) rest.push_back(samples[i]);
    const auto model = fit_latency_model(LatencyModelKind::kLinear, space, {}, rest);
    for (const std::size_t i : fold.test) predicted[i] = model->predict_ms(samples[i].arch);
  }
  const auto error =
      cross_validated_error(LatencyModelKind::kLinear, space, samples, 4, {.seed = 9});
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(*error, latency::model_error(predicted, measured));
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { cross_validated_error(LatencyModelKind::kLinear, space, samples, 1); }),
            "[latency::cross_validated_error] needs at least 2 folds, got 1");
}

/// As many samples of each of `nets` nets one after the other, whose latencies follow no rule.
std::vector<LatencySample> repeated_samples(const space::Space& space, std::size_t nets,
                                            int times) {
  Rng rng(5);
  std::vector<LatencySample> samples;
  for (const space::Arch& arch : lathe::testing::distinct_archs(space, nets, 5)) {
    const double ms = 1.0 + rng.uniform();
    samples.insert(samples.end(), static_cast<std::size_t>(times),
                   {.arch = arch, .median_ms = ms, .p90_ms = ms, .repeats = 1});
  }
  return samples;
}

TEST(FitLatencyModelTest, NothingIsLearnedByHeart) {
  const TinySpace space;
  const auto samples = repeated_samples(space, 40, 3);
  const auto kind = LatencyModelKind::kPerceptron;
  // What a model that has seen the net can say of it, and one that has not: latencies are drawn
  // anew for every net, so that there is nothing to learn but the nets themselves.
  const double seen = model_error(*fit_latency_model(kind, space, {}, samples), samples).mape;
  const auto error = cross_validated_error(kind, space, samples, 5);
  ASSERT_TRUE(error.has_value());
  EXPECT_GT(error->mape, 1.2 * seen);
  EXPECT_GT(error->mape, 0.15);
}

TEST(FitLatencyModelTest, TooFewNetsCantBeCrossValidated) {
  const TinySpace space;
  const auto four = repeated_samples(space, 4, 20);
  EXPECT_FALSE(cross_validated_error(LatencyModelKind::kLinear, space, four, 5).has_value());
  EXPECT_TRUE(cross_validated_error(LatencyModelKind::kLinear, space, four, 4).has_value());
  // 60 samples, of which 45 or 48 are left for the perceptron's 50.
  EXPECT_FALSE(
      cross_validated_error(LatencyModelKind::kPerceptron, space, repeated_samples(space, 20, 3), 5)
          .has_value());
  EXPECT_EQ(
      text_thrown<Error>([&] { fit_latency_model(LatencyModelKind::kResidual, space, {}, four); }),
      "a residual model needs samples of at least 5 nets, got 4");
  auto mostly_one = repeated_samples(space, 5, 1);
  mostly_one.insert(mostly_one.end(), 50, mostly_one.front());
  EXPECT_EQ(text_thrown<Error>(
                [&] { fit_latency_model(LatencyModelKind::kResidual, space, {}, mostly_one); }),
            "a residual model needs at least 10 samples beside those of any one net, got 4");
}

TEST(FitLatencyModelTest, RefusesTooFewSamples) {
  const TinySpace space;
  const auto samples = samples_of(space, 49, 1);
  const auto all = std::span<const LatencySample>(samples);
  EXPECT_EQ(
      text_thrown<Error>([&] { fit_latency_model(LatencyModelKind::kPerceptron, space, {}, all); }),
      "a perceptron model needs at least 50 samples, got 49");
  EXPECT_EQ(text_thrown<Error>(
                [&] { fit_latency_model(LatencyModelKind::kRidge, space, {}, all.first(9)); }),
            "a ridge model needs at least 10 samples, got 9");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { latency_model_kind("forest"); }),
            "[train::latency_model_kind] unknown kind \"forest\"");
}

}  // namespace
}  // namespace lathe::train
