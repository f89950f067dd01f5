#include "lathe/search/problem.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/graph/counts.h"
#include "lathe/space/builtin_spaces.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::AdditiveLatency;
using lathe::testing::SyntheticAccuracy;
using lathe::testing::SyntheticLatency;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

class ProblemTest : public ::testing::Test {
 protected:
  /// Halfway between what the space's nets have at least and at most.
  double middle(std::int64_t (*count)(const graph::Graph&)) const {
    double least = std::numeric_limits<double>::infinity();
    double most = 0;
    for (const space::Arch& arch : archs_) {
      const auto value = static_cast<double>(count(space_.graph(arch)));
      least = std::min(least, value);
      most = std::max(most, value);
    }
    return (least + most) / 2;
  }

  TinySpace space_;
  std::vector<space::Arch> archs_ = lathe::testing::all_archs(space_);
  AdditiveLatency additive_{space_, 3};
  SyntheticLatency opaque_{space_, 3};
  SyntheticAccuracy accuracy_{space_, 3};
};

TEST_F(ProblemTest, ConstraintsAgreeWithTheGraph) {
  const Constraints constraints{.max_macs = middle(graph::macs),
                                .max_params = middle(graph::params),
                                .max_memory_mb = middle(graph::peak_memory_bytes) / 1e6};
  const Problem macs(space_, additive_, accuracy_, {.max_macs = constraints.max_macs});
  const Problem params(space_, additive_, accuracy_, {.max_params = constraints.max_params});
  const Problem memory(space_, additive_, accuracy_, {.max_memory_mb = constraints.max_memory_mb});
  const Problem all(space_, additive_, accuracy_, constraints);
  for (const space::Arch& arch : archs_) {
    const graph::Graph net = space_.graph(arch);
    const bool few_macs = static_cast<double>(graph::macs(net)) <= *constraints.max_macs;
    const bool few_params = static_cast<double>(graph::params(net)) <= *constraints.max_params;
    const bool small =
        static_cast<double>(graph::peak_memory_bytes(net)) <= *constraints.max_memory_mb * 1e6;
    ASSERT_EQ(macs.allowed(arch), few_macs);
    ASSERT_EQ(params.allowed(arch), few_params);
    ASSERT_EQ(memory.allowed(arch), small);
    ASSERT_EQ(all.allowed(arch), few_macs && few_params && small);
  }
}

TEST(ProblemCountsTest, LimitsOfEveryBuiltInSpaceAreTheGraphs) {
  Rng rng(1);
  for (const std::string& name : space::builtin_space_names()) {
    const auto space = space::make_space(name);
    const SyntheticLatency latency(*space, 1);
    const SyntheticAccuracy accuracy(*space, 1);
    const space::Arch arch = space->sample(rng);
    const graph::Graph net = space->graph(arch);
    const auto macs = static_cast<double>(graph::macs(net));
    const auto params = static_cast<double>(graph::params(net));
    const auto memory_mb = static_cast<double>(graph::peak_memory_bytes(net)) / 1e6;
    if (!space->is_chain()) {
      EXPECT_EQ(text_thrown<Error>(
                    [&] { Problem(*space, latency, accuracy, {.max_memory_mb = memory_mb}); }),
                "space " + name +
                    " can't be searched with a limit of memory: the blocks of its "
                    "nets don't follow one another");
      continue;
    }
    const Problem exactly(*space, latency, accuracy,
                          {.max_macs = macs, .max_params = params, .max_memory_mb = memory_mb});
    EXPECT_TRUE(exactly.allowed(arch)) << name;
    const double less = 1 - 1e-9;
    EXPECT_FALSE(Problem(*space, latency, accuracy, {.max_macs = macs * less}).allowed(arch));
    EXPECT_FALSE(Problem(*space, latency, accuracy, {.max_params = params * less}).allowed(arch));
    EXPECT_FALSE(
        Problem(*space, latency, accuracy, {.max_memory_mb = memory_mb * less}).allowed(arch))
        << name;
  }
}

TEST_F(ProblemTest, TheFastestNetIsTheFastestAllowedOne) {
  const std::vector<Constraints> cases{{},
                                       {.max_macs = middle(graph::macs)},
                                       {.max_params = middle(graph::params)},
                                       {.max_memory_mb = middle(graph::peak_memory_bytes) / 1e6}};
  for (const latency::LatencyModel* latency :
       std::initializer_list<const latency::LatencyModel*>{&additive_, &opaque_}) {
    for (const Constraints& constraints : cases) {
      const Problem problem(space_, *latency, accuracy_, constraints);
      double least = std::numeric_limits<double>::infinity();
      for (const space::Arch& arch : archs_) {
        if (problem.allowed(arch)) {
          least = std::min(least, problem.latency_ms(arch));
        }
      }
      ASSERT_TRUE(problem.fastest());
      EXPECT_TRUE(problem.allowed(problem.fastest()->arch));
      EXPECT_DOUBLE_EQ(problem.fastest()->predicted_ms, least);
    }
  }
}

TEST_F(ProblemTest, WithoutAnAllowedNetThereIsNoFastest) {
  EXPECT_FALSE(Problem(space_, additive_, accuracy_, {.max_macs = 1.0}).fastest());
  EXPECT_FALSE(Problem(space_, additive_, accuracy_, {.max_memory_mb = 1e-6}).fastest());
  EXPECT_FALSE(Problem(space_, opaque_, accuracy_, {.max_params = 1.0}).fastest());
}

TEST_F(ProblemTest, DrawnAndRepairedNetsFit) {
  Rng rng(7);
  for (const latency::LatencyModel* latency :
       std::initializer_list<const latency::LatencyModel*>{&additive_, &opaque_}) {
    for (const Constraints& constraints :
         {Constraints{},
          Constraints{.max_macs = middle(graph::macs), .max_params = middle(graph::params)}}) {
      const Problem problem(space_, *latency, accuracy_, constraints);
      for (const double extra_ms : {0.0, 0.01, 0.1, 10.0}) {
        const double limit_ms = problem.fastest()->predicted_ms + extra_ms;
        for (int i = 0; i < 300; ++i) {
          for (const TimedArch& net : {problem.sample_within(limit_ms, rng),
                                       problem.repaired(space_.sample(rng), limit_ms, rng)}) {
            ASSERT_TRUE(problem.fits(net.arch, limit_ms));
            ASSERT_EQ(net.predicted_ms, problem.latency_ms(net.arch));
            ASSERT_EQ(net.arch, space_.canonical(net.arch));
          }
        }
      }
    }
  }
}

TEST_F(ProblemTest, LatencyIsTheModels) {
  const Problem additive(space_, additive_, accuracy_);
  const Problem opaque(space_, opaque_, accuracy_);
  EXPECT_NE(additive.chain(), nullptr);
  EXPECT_EQ(opaque.chain(), nullptr);
  EXPECT_EQ(opaque.latency_costs(), nullptr);
  for (const space::Arch& arch : archs_) {
    ASSERT_EQ(additive.latency_ms(arch), additive_.predict_ms(arch));
    ASSERT_EQ(opaque.latency_ms(arch), opaque_.predict_ms(arch));
    ASSERT_NEAR(additive.latency_ms(arch), opaque.latency_ms(arch), 1e-12);
  }
}

TEST_F(ProblemTest, RefusesWhatDoesNotBelongTogether) {
  const TinySpace other(2, "other");
  const AdditiveLatency other_latency(other, 1);
  const SyntheticAccuracy other_accuracy(other, 1);
  const auto refusal = [](auto&&... arguments) {
    return text_thrown<std::invalid_argument>([&] { Problem problem(arguments...); });
  };
  EXPECT_EQ(refusal(space_, other_latency, accuracy_),
            "[search::Problem] the latency model must be of space tiny, got one of other");
  EXPECT_EQ(refusal(space_, additive_, other_accuracy),
            "[search::Problem] the accuracy predictor must be of space tiny, got one of other");
  EXPECT_EQ(refusal(space_, additive_, accuracy_, Constraints{.max_macs = 0.0}),
            "[search::CostLimits] constraints.max_macs must be > 0, got 0.000000");
  EXPECT_EQ(refusal(space_, additive_, accuracy_, Constraints{.max_params = -1.0}),
            "[search::CostLimits] constraints.max_params must be > 0, got -1.000000");
  EXPECT_EQ(refusal(space_, additive_, accuracy_, Constraints{.max_memory_mb = NAN}),
            "[search::CostLimits] constraints.max_memory_mb must be > 0, got nan");
}

TEST_F(ProblemTest, RefusesLimitsThatNothingFits) {
  Rng rng(1);
  const Problem problem(space_, additive_, accuracy_);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { problem.sample_within(0.01, rng); }),
            "[search::Problem::sample_within] limit_ms must be at least " +
                std::to_string(problem.fastest()->predicted_ms) + ", got 0.010000");
  const Problem impossible(space_, additive_, accuracy_, {.max_macs = 1.0});
  EXPECT_EQ(
      text_thrown<std::invalid_argument>([&] { impossible.repaired(space_.smallest(), 9, rng); }),
      "[search::Problem::repaired] limit_ms must be at least an allowed net's, got 9.000000");
}

}  // namespace
}  // namespace lathe::search
