#include "lathe/train/fit_latency_model.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/latency/perceptron_model.h"
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

TEST(FitLatencyModelTest, CrossValidates) {
  const TinySpace space;
  const auto samples = samples_of(space, 100, 1);
  const auto error = cross_validated_error(LatencyModelKind::kLinear, space, samples, 5);
  EXPECT_EQ(error.samples, 100);
  EXPECT_LT(error.mape, 0.1);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { cross_validated_error(LatencyModelKind::kLinear, space, samples, 1); }),
            "[train::cross_validated_error] needs at least 2 folds and a sample for each, got 1 "
            "and 100");
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
