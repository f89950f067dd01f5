#include "lathe/search/chain/path_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/space/slot_chain.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::AdditiveLatency;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

class PathSamplerTest : public ::testing::Test {
 protected:
  const space::SlotCosts& costs() const { return *latency_.slot_costs(); }
  double least() const {
    double least = std::numeric_limits<double>::infinity();
    for (const space::Arch& arch : lathe::testing::all_archs(space_)) {
      least = std::min(least, costs().total(arch));
    }
    return least;
  }

  std::vector<double> transitions() const { return chain_.costs(costs()); }

  TinySpace space_;
  AdditiveLatency latency_{space_, 3};
  space::SlotChain chain_{space_};
};

TEST_F(PathSamplerTest, FindsTheCheapestPath) {
  const PathSampler sampler(chain_.trellis(), transitions());
  const auto cheapest = sampler.cheapest();
  ASSERT_TRUE(cheapest);
  EXPECT_DOUBLE_EQ(costs().total(chain_.arch(*cheapest)), least());
}

TEST_F(PathSamplerTest, EveryDrawFitsAndEveryFittingPathIsDrawn) {
  const PathSampler sampler(chain_.trellis(), transitions());
  const auto archs = lathe::testing::all_archs(space_);
  Rng rng(1);
  for (const double extra : {0.0, 0.02, 0.1}) {
    const double limit = least() + extra;
    std::map<space::Arch, int> drawn;
    for (int i = 0; i < 40000; ++i) {
      const space::Arch arch = chain_.arch(sampler.sample(limit, rng));
      ASSERT_LE(costs().total(arch), limit * (1 + 1e-12));
      ASSERT_EQ(arch, space_.canonical(arch));
      ++drawn[arch];
    }
    const auto fitting = std::ranges::count_if(
        archs, [&](const space::Arch& arch) { return costs().total(arch) <= limit; });
    EXPECT_EQ(static_cast<std::ptrdiff_t>(drawn.size()), fitting) << extra;
  }
}

TEST_F(PathSamplerTest, AStepIsUniformAmongThoseThatLeaveRoom) {
  const PathSampler sampler(chain_.trellis(), transitions());
  Rng rng(2);
  constexpr int kDraws = 20000;
  int largest_resolution = 0;
  for (int i = 0; i < kDraws; ++i) {
    largest_resolution += chain_.arch(sampler.sample(1e9, rng)).choices.back();
  }
  EXPECT_NEAR(static_cast<double>(largest_resolution) / kDraws, 0.5, 0.015);
}

TEST_F(PathSamplerTest, BelowTheCheapestItGivesTheCheapest) {
  const PathSampler sampler(chain_.trellis(), transitions());
  Rng rng(3);
  EXPECT_EQ(sampler.sample(0.001, rng), sampler.cheapest());
}

TEST_F(PathSamplerTest, TransitionsWithoutAFiniteCostAreNeverTaken) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double hole : {nan, infinity, -infinity}) {
    const space::SlotCosts holed(
        space_, [&](const space::Block& block) { return block.kernel == 5 ? hole : 1.0; });
    const PathSampler sampler(chain_.trellis(), chain_.costs(holed));
    Rng rng(4);
    for (int i = 0; i < 1000; ++i) {
      const space::Arch arch = chain_.arch(sampler.sample(1e9, rng));
      EXPECT_TRUE(std::isfinite(holed.total(arch)));
    }
  }
}

TEST_F(PathSamplerTest, WithoutAPathThereIsNoCheapest) {
  const std::vector<double> nothing(chain_.trellis().num_transitions(),
                                    std::numeric_limits<double>::quiet_NaN());
  const PathSampler sampler(chain_.trellis(), nothing);
  EXPECT_EQ(sampler.cheapest(), std::nullopt);
  Rng rng(5);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { sampler.sample(1.0, rng); }),
            "[search::PathSampler::sample] no path can be taken");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { PathSampler(chain_.trellis(), {}); }),
            "[space::suffix_minima] costs must have a number for each of the " +
                std::to_string(chain_.trellis().num_transitions()) + " transitions, got 0");
}

}  // namespace
}  // namespace lathe::search
