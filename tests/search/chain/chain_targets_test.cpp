#include "lathe/search/chain/chain_targets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/accuracy/width_scores.h"
#include "lathe/core/error.h"
#include "lathe/graph/counts.h"
#include "lathe/search/chain/greedy_shrink.h"
#include "lathe/search/chain/uniform_widths.h"
#include "lathe/space/families/chain_family.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::AdditiveLatency;
using lathe::testing::SyntheticAccuracy;
using lathe::testing::SyntheticLatency;
using lathe::testing::text_thrown;

std::unique_ptr<space::Space> widths_space() {
  return space::make_chain_space({.name = "four_widths",
                                  .task = {.in_channels = 1, .num_classes = 4, .input_size = 8},
                                  .layers = {{.widths = {4, 8, 12, 16}},
                                             {.widths = {8, 16, 24}, .stride = 2},
                                             {.widths = {8, 16, 24, 32}},
                                             {.widths = {8, 32, 48}, .stride = 2}}});
}

/// Wider is better on the whole.
accuracy::WidthScores scores_of(const space::Space& space, std::uint64_t seed) {
  Rng rng(seed);
  accuracy::WidthScoreTable table;
  for (const space::Decision& decision : space.decisions()) {
    auto& scores = table.emplace_back();
    for (int c = 0; c < decision.num_choices(); ++c) {
      scores.push_back(accuracy::WidthScore{
          .mean = 0.3 / (c + 1) + 0.1 * rng.uniform(), .standard_error = 0.01, .count = 50});
    }
  }
  return {space, table};
}

/// Nearly the multiply-accumulates.
class MacsLatency : public latency::LatencyModel {
 public:
  MacsLatency(const space::Space& space, std::uint64_t seed) : name_(space.name()) {
    Rng rng(seed);
    costs_.emplace(
        space,
        [&](const space::Block& block) {
          return static_cast<double>(graph::macs(space::lower({&block, 1}))) *
                 (0.8 + 0.4 * rng.uniform()) * 1e-4;
        },
        0.2);
  }
  using LatencyModel::predict_ms;
  double predict_ms(const space::Arch& arch) const override { return costs_->total(arch); }
  const space::SlotCosts* slot_costs() const override { return &*costs_; }
  const std::string& space_name() const override { return name_; }

 private:
  std::string name_;
  std::optional<space::SlotCosts> costs_;
};

std::vector<space::Arch> all_nets(const space::Space& space) {
  std::vector<space::Arch> nets{space.smallest()};
  for (std::size_t i = 0; i < space.decisions().size(); ++i) {
    std::vector<space::Arch> more;
    for (const space::Arch& net : nets) {
      for (int c = 0; c < space.decisions()[i].num_choices(); ++c) {
        more.push_back(net);
        more.back().choices[i] = static_cast<std::uint8_t>(c);
      }
    }
    nets = std::move(more);
  }
  return nets;
}

class ChainTargetsTest : public ::testing::Test {
 protected:
  SearchResult search(Strategy strategy, SearchOptions options = {.candidates_per_target = 1}) {
    options.strategy = strategy;
    Rng rng(1);
    return search_targets(*space_, latency_, scores_, targets_, options, rng);
  }
  std::vector<double> evenly(int count) const {
    double low = std::numeric_limits<double>::infinity();
    double high = 0;
    for (const space::Arch& net : all_nets(*space_)) {
      low = std::min(low, latency_.predict_ms(net));
      high = std::max(high, latency_.predict_ms(net));
    }
    std::vector<double> targets{low};  // met by one net exactly
    for (int i = 0; i < count; ++i) {
      targets.push_back(low - 0.05 * (high - low) + (high - low) * 1.1 * i / count);
    }
    return targets;
  }
  double optimum(double target_ms, const Constraints& constraints = {}) const {
    double least = std::numeric_limits<double>::infinity();
    for (const space::Arch& net : all_nets(*space_)) {
      const graph::Graph graph = space_->graph(net);
      const auto within = [](const std::optional<double>& limit, std::int64_t count) {
        return !limit || static_cast<double>(count) <= *limit;
      };
      if (latency_.predict_ms(net) <= target_ms &&
          within(constraints.max_macs, graph::macs(graph)) &&
          within(constraints.max_params, graph::params(graph))) {
        least = std::min(least, scores_.error(net));
      }
    }
    return least;
  }

  std::unique_ptr<space::Space> space_ = widths_space();
  MacsLatency latency_{*space_, 2};
  accuracy::WidthScores scores_ = scores_of(*space_, 3);
  std::vector<double> targets_ = evenly(40);
};

TEST_F(ChainTargetsTest, OwsAndParetoAreOptimalAndLagrangianIsBounded) {
  const SearchResult ows = search(Strategy::kOws);
  const SearchResult pareto = search(Strategy::kPareto);
  const SearchResult lagrangian = search(Strategy::kLagrangian);
  int infeasible = 0;
  int worse = 0;
  for (std::size_t i = 0; i < ows.targets.size(); ++i) {
    const TargetResult& target = ows.targets[i];
    const double least = optimum(target.target_ms);
    ASSERT_EQ(target.feasible, std::isfinite(least));
    EXPECT_EQ(lagrangian.targets[i].feasible, target.feasible);
    EXPECT_EQ(pareto.targets[i].candidates, target.candidates);
    if (!target.feasible) {
      ++infeasible;
      EXPECT_GT(target.minimum_ms, target.target_ms);
      EXPECT_TRUE(std::isfinite(optimum(target.minimum_ms))) << "typed back, it can be met";
      continue;
    }
    EXPECT_NEAR(scores_.error(target.candidates.front().arch), least, 1e-12);
    EXPECT_NEAR(target.error_bound->error, least, 1e-12);
    EXPECT_EQ(target.error_bound->gap(), 0.0);
    EXPECT_LE(lagrangian.targets[i].error_bound->bound, least + 1e-12);
    EXPECT_GE(lagrangian.targets[i].error_bound->error, least - 1e-12);
    worse += lagrangian.targets[i].error_bound->error > least + 1e-12 ? 1 : 0;
  }
  EXPECT_GT(infeasible, 0);
  EXPECT_GT(worse, 0) << "the hull is not the front";
  EXPECT_GT(pareto.front.size(), ows.front.size());
}

TEST_F(ChainTargetsTest, LimitsOnMacsAndParametersAreKept) {
  const graph::Graph largest = space_->graph(space_->largest());
  const double max_macs = 0.4 * static_cast<double>(graph::macs(largest));
  const double max_params = 0.35 * static_cast<double>(graph::params(largest));
  int tighter = 0;
  for (const Constraints& constraints :
       {Constraints{.max_macs = max_macs}, Constraints{.max_params = max_params},
        Constraints{.max_macs = max_macs, .max_params = max_params}}) {
    const SearchOptions options{.constraints = constraints, .candidates_per_target = 3};
    const SearchResult ows = search(Strategy::kOws, options);
    const SearchResult lagrangian = search(Strategy::kLagrangian, options);
    for (std::size_t i = 0; i < ows.targets.size(); ++i) {
      const double least = optimum(ows.targets[i].target_ms, constraints);
      ASSERT_EQ(ows.targets[i].feasible, std::isfinite(least));
      ASSERT_EQ(lagrangian.targets[i].feasible, std::isfinite(least));
      if (std::isfinite(least)) {
        EXPECT_NEAR(ows.targets[i].error_bound->error, least, 1e-12);
        EXPECT_LE(lagrangian.targets[i].error_bound->bound, least + 1e-9);
        EXPECT_GE(lagrangian.targets[i].error_bound->error, least - 1e-12);
        tighter += least > optimum(ows.targets[i].target_ms) + 1e-12 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(tighter, 15) << "the limits bind";
}

TEST_F(ChainTargetsTest, FurtherCandidatesAreDistinctNetsWithinTheTarget) {
  const SearchResult result = search(Strategy::kOws, {.candidates_per_target = 8});
  std::size_t most = 0;
  for (const TargetResult& target : result.targets) {
    most = std::max(most, target.candidates.size());
  }
  EXPECT_EQ(most, 8U);
}

TEST_F(ChainTargetsTest, GreedyAndUniformAreWhatTheirRulesSay) {
  const SearchResult greedy = search(Strategy::kGreedy);
  const SearchResult uniform = search(Strategy::kUniform);
  // The rule of greedy, step by step.
  space::Arch net = space_->largest();
  std::vector<space::Arch> nets{net};
  while (net != space_->smallest()) {
    space::Arch best;
    for (std::size_t i = 0; i < net.choices.size(); ++i) {
      space::Arch narrower = net;
      if (net.choices[i] > 0) {
        --narrower.choices[i];
        if (best.choices.empty() || scores_.error(narrower) < scores_.error(best)) {
          best = narrower;
        }
      }
    }
    nets.push_back(net = best);
  }
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const TargetResult& target = greedy.targets[i];
    const auto first = std::ranges::find_if(nets, [&](const space::Arch& arch) {
      return latency_.predict_ms(arch) <= target.target_ms;
    });
    ASSERT_EQ(target.feasible, first != nets.end());
    if (target.feasible) {
      EXPECT_EQ(target.candidates.front().arch, *first);
      EXPECT_GE(scores_.error(*first), optimum(target.target_ms) - 1e-12);
    }
    if (uniform.targets[i].feasible) {
      EXPECT_GE(scores_.error(uniform.targets[i].candidates.front().arch),
                optimum(target.target_ms) - 1e-12);
    }
  }
}

/// Layers that are added share their width: a state of the trellis carries it along.
TEST(ChainTargets, OwsIsOptimalInAResidualChain) {
  const auto space = space::make_chain_space(
      {.name = "residual",
       .task = {.in_channels = 1, .num_classes = 4, .input_size = 8},
       .layers = {{.widths = {4, 8, 16}, .kind = space::ChainLayerKind::kConv},
                  {.widths = {4, 8, 12}, .kind = space::ChainLayerKind::kConv},
                  {.widths = {}, .kind = space::ChainLayerKind::kConv, .shortcut_from = 0},
                  {.widths = {8, 16, 24}, .kind = space::ChainLayerKind::kConv},
                  {.widths = {}, .kind = space::ChainLayerKind::kConv, .shortcut_from = 2}}});
  const std::vector<space::Arch> nets = all_nets(*space);
  ASSERT_EQ(nets.size(), 27U);
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const MacsLatency latency(*space, seed);
    const accuracy::WidthScores scores = scores_of(*space, seed + 10);
    std::vector<double> targets;
    for (const space::Arch& net : nets) {
      targets.push_back(latency.predict_ms(net));
    }
    Rng rng(1);
    const SearchResult result =
        search_targets(*space, latency, scores, targets, {.strategy = Strategy::kOws}, rng);
    for (const TargetResult& target : result.targets) {
      double least = std::numeric_limits<double>::infinity();
      for (const space::Arch& net : nets) {
        if (latency.predict_ms(net) <= target.target_ms) {
          least = std::min(least, scores.error(net));
        }
      }
      ASSERT_TRUE(target.feasible);
      EXPECT_NEAR(target.error_bound->error, least, 1e-12);
    }
  }
}

TEST(UniformWidthsTest, EveryLayerHasTheNearestWidth) {
  std::vector<LayerChoices> nets;
  uniform_widths(std::vector<std::vector<double>>{{4, 8, 16}, {10, 30, 40}},
                 [&](const LayerChoices& net) {
                   nets.push_back(net);
                   return true;
                 });
  // Shares 1, .75, .5, .25, .25: 12 is as near to 8 as to 16, 20 to 10 as to 30.
  EXPECT_EQ(nets, (std::vector<LayerChoices>{{2, 2}, {1, 1}, {1, 0}, {0, 0}}));
}

TEST(ChainTargets, RefusesModelsThatAreNoSums) {
  const auto space = widths_space();
  const SyntheticLatency no_sum(*space, 1);
  const MacsLatency sum(*space, 1);
  const SyntheticAccuracy no_scores(*space, 1);
  const accuracy::WidthScores scores = scores_of(*space, 1);
  const auto refused = [&](const latency::LatencyModel& latency,
                           const accuracy::AccuracyPredictor& accuracy, Strategy strategy) {
    Rng rng(1);
    return text_thrown<Error>([&] {
      search_targets(*space, latency, accuracy, std::vector{5.0}, {.strategy = strategy}, rng);
    });
  };
  EXPECT_EQ(
      refused(no_sum, scores, Strategy::kOws),
      "strategy ows needs a latency model that is a sum over blocks, such as a table, additive "
      "or ridge");
  EXPECT_EQ(refused(sum, no_scores, Strategy::kPareto),
            "strategy pareto needs an accuracy model that is a sum over choices, such as width "
            "scores");
  const lathe::testing::TinySpace tiny;
  const AdditiveLatency latency(tiny, 1);
  const SyntheticAccuracy accuracy(tiny, 1);
  Rng rng(1);
  EXPECT_EQ(text_thrown<Error>([&] {
              search_targets(tiny, latency, accuracy, std::vector{5.0},
                             {.strategy = Strategy::kGreedy}, rng);
            }),
            "strategy greedy shrinks widths, and space tiny has other decisions");
}

}  // namespace
}  // namespace lathe::search
