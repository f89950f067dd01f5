#include "lathe/search/published/evaluations.h"

#include <gtest/gtest.h>

#include <vector>

#include "lathe/search/pareto.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::AdditiveLatency;
using lathe::testing::SyntheticAccuracy;
using lathe::testing::TinySpace;

/// Counts the nets that it is asked about.
class CountingAccuracy : public SyntheticAccuracy {
 public:
  using SyntheticAccuracy::predict;
  using SyntheticAccuracy::SyntheticAccuracy;
  void predict(std::span<const space::Arch> archs, std::span<double> out) const override {
    asked += archs.size();
    SyntheticAccuracy::predict(archs, out);
  }
  mutable std::size_t asked = 0;
};

class EvaluationsTest : public ::testing::Test {
 protected:
  EvaluationsTest() {
    for (const space::Arch& arch : lathe::testing::all_archs(space_)) {
      nets_.push_back({.arch = arch, .predicted_ms = latency_.predict_ms(arch)});
    }
  }

  TinySpace space_;
  AdditiveLatency latency_{space_, 3};
  CountingAccuracy accuracy_{space_, 3};
  Problem problem_{space_, latency_, accuracy_};
  std::vector<TimedArch> nets_;
};

TEST_F(EvaluationsTest, PredictsEachNetOnce) {
  Evaluations evaluations(problem_);
  const std::vector<TimedArch> some{nets_[0], nets_[1], nets_[0]};
  EXPECT_EQ(evaluations.evaluate(some, 100), (std::vector<std::size_t>{0, 1, 0}));
  EXPECT_EQ(evaluations.evaluate(std::vector<TimedArch>{nets_[2], nets_[1]}, 100),
            (std::vector<std::size_t>{2, 1}));
  EXPECT_EQ(accuracy_.asked, 3U);
  EXPECT_EQ(evaluations.count(), 3);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(evaluations.all()[i].arch, nets_[i].arch);
    EXPECT_EQ(evaluations.all()[i].predicted_ms, nets_[i].predicted_ms);
    EXPECT_EQ(evaluations.all()[i].predicted_accuracy, accuracy_.predict(nets_[i].arch));
  }
}

TEST_F(EvaluationsTest, LeavesOutNewNetsBeyondTheLimit) {
  Evaluations evaluations(problem_);
  evaluations.evaluate(std::vector<TimedArch>{nets_[0]}, 1);
  const std::vector<TimedArch> some{nets_[1], nets_[2], nets_[0], nets_[1]};
  EXPECT_EQ(evaluations.evaluate(some, 1),
            (std::vector<std::size_t>{1, Evaluations::kNotEvaluated, 0, 1}));
  EXPECT_EQ(evaluations.evaluate(std::vector<TimedArch>{nets_[3]}, 0),
            (std::vector<std::size_t>{Evaluations::kNotEvaluated}));
  EXPECT_EQ(evaluations.count(), 2);
}

TEST_F(EvaluationsTest, WhatIsForgottenCountsAndStaysInTheFront) {
  Evaluations evaluations(problem_);
  const auto middle = nets_.begin() + static_cast<std::ptrdiff_t>(nets_.size() / 2);
  evaluations.evaluate(std::vector<TimedArch>(nets_.begin(), middle), 100'000);
  std::vector<Candidate> everything = evaluations.all();
  evaluations.forget();
  EXPECT_TRUE(evaluations.all().empty());
  evaluations.evaluate(std::vector<TimedArch>(middle - 1, nets_.end()), 100'000);
  everything.insert(everything.end(), evaluations.all().begin(), evaluations.all().end());
  EXPECT_EQ(evaluations.count(), static_cast<std::int64_t>(nets_.size()) + 1);
  EXPECT_EQ(evaluations.front(), pareto_front(everything));
}

}  // namespace
}  // namespace lathe::search
