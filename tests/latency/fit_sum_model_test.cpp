#include "lathe/latency/fit/fit_sum_model.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "core/temporary_folder.h"
#include "latency/latency_fixtures.h"
#include "lathe/core/error.h"
#include "lathe/latency/fit/additive.h"
#include "lathe/latency/fit/ridge.h"
#include "lathe/latency/models/linear_model.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/space/same_net.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::fingerprint_of;
using lathe::testing::samples_of;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

double sum_over_choices(const space::Space& space, const space::Arch& arch) {
  double ms = 2.0;
  for (const float bit : space.encode(arch)) {
    ms += 0.05 * bit;
  }
  return ms + 0.1 * arch.choices[0] + 0.2 * arch.choices[1];
}

/// All decisions in one slot, which has two million assignments.
class OneSlotSpace : public TinySpace {
 public:
  OneSlotSpace() : TinySpace(4) {
    slots_ = {{}};
    for (int i = 0; i < static_cast<int>(decisions_.size()); ++i) {
      slots_.front().decisions.push_back(i);
    }
  }
};

TEST(FitSumModelTest, EachKindIsItsOwnFit) {
  const TinySpace space;
  const auto fingerprint = fingerprint_of(space);
  const auto samples = samples_of(space, sum_over_choices, 60, 0.01, 1);
  const space::Arch arch = space.largest();
  const auto fitted_ms = [&](SumModelKind kind) {
    const auto model = fit_sum_model(kind, space, fingerprint, samples, 3);
    EXPECT_EQ(model->fingerprint(), fingerprint);
    EXPECT_FALSE(model->validation().has_value());
    return model->predict_ms(arch);
  };
  EXPECT_EQ(fitted_ms(SumModelKind::kAdditive),
            fit_additive(space, fingerprint, samples, {.seed = 3}).table.predict_ms(arch));
  EXPECT_EQ(fitted_ms(SumModelKind::kRidge),
            fit_ridge(space, fingerprint, samples, {.seed = 3}).predict_ms(arch));
  EXPECT_EQ(fitted_ms(SumModelKind::kLinear),
            fit_linear_model(space, fingerprint, samples).predict_ms(arch));
}

TEST(FitSumModelTest, RidgeIsOverChoicesWhereBlocksCantBeListed) {
  const OneSlotSpace space;
  const auto samples = samples_of(space, sum_over_choices, 30, 0.0, 2);
  const auto model = fit_sum_model(SumModelKind::kRidge, space, fingerprint_of(space), samples);
  EXPECT_NE(dynamic_cast<const LinearModel*>(model.get()), nullptr);
}

TEST(FitSumModelTest, NamesAndHowManySamplesTheyNeed) {
  const TinySpace space;
  const auto samples = samples_of(space, sum_over_choices, 20, 0.0, 1);
  for (const std::string& name : sum_model_kinds()) {
    const auto kind = sum_model_kind(name);
    ASSERT_TRUE(kind.has_value());
    EXPECT_EQ(to_string(*kind), name);
    const auto few = std::span(samples).first(min_samples(*kind) - 1);
    const std::string article = name == "additive" ? "an " : "a ";
    EXPECT_EQ(text_thrown<Error>([&] { fit_sum_model(*kind, space, {}, few); }),
              article + name + " model needs at least " + std::to_string(min_samples(*kind)) +
                  " samples, got " + std::to_string(few.size()));
  }
  EXPECT_FALSE(sum_model_kind("perceptron").has_value());
}

TEST(FitSumModelTest, CrossValidationIsFitsWithoutEachPart) {
  const TinySpace space;
  const auto samples = samples_of(space, sum_over_choices, 60, 0.02, 1);
  const auto nets = space::number_nets(space, samples);
  std::vector<double> predicted(samples.size());
  std::vector<double> measured;
  for (const LatencySample& sample : samples) {
    measured.push_back(sample.median_ms);
  }
  for (const auto& fold : regress::grouped_folds(nets, 4, 9)) {
    const auto model =
        fit_linear_model(space, {}, regress::at_indices(samples, std::span(fold.train)));
    for (const std::size_t i : fold.test) {
      predicted[i] = model.predict_ms(samples[i].arch);
    }
  }
  const auto error = cross_validated_error(SumModelKind::kLinear, space, samples, 4, 9);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(*error, model_error(predicted, measured));
}

TEST(FitSumModelTest, WhatCantBeCrossValidated) {
  const TinySpace space;
  const auto samples = samples_of(space, sum_over_choices, 22, 0.0, 1);
  const std::vector<LatencySample> one_net(30, samples.front());
  EXPECT_FALSE(cross_validated_error(SumModelKind::kLinear, space, one_net, 5).has_value());
  // Of 22 some 17 are left, and an additive model needs 20.
  EXPECT_FALSE(cross_validated_error(SumModelKind::kAdditive, space, samples, 5).has_value());
  EXPECT_TRUE(cross_validated_error(SumModelKind::kRidge, space, samples, 5).has_value());
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { cross_validated_error(SumModelKind::kLinear, space, samples, 1); }),
            "[latency::cross_validated_error] needs at least 2 folds, got 1");
}

}  // namespace
}  // namespace lathe::latency
