#include "lathe/search/slot_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::AdditiveLatency;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

class SlotSamplerTest : public ::testing::Test {
 protected:
  const space::SlotCosts& costs() const { return *latency_.slot_costs(); }
  double least() const {
    double least = std::numeric_limits<double>::infinity();
    for (const space::Arch& arch : lathe::testing::all_archs(space_)) {
      least = std::min(least, costs().total(arch));
    }
    return least;
  }

  TinySpace space_;
  AdditiveLatency latency_{space_, 3};
  space::SlotChain chain_{space_};
};

TEST_F(SlotSamplerTest, FindsTheCheapestNet) {
  const SlotSampler sampler(chain_, costs());
  const auto cheapest = sampler.cheapest();
  ASSERT_TRUE(cheapest);
  EXPECT_DOUBLE_EQ(costs().total(*cheapest), least());
}

TEST_F(SlotSamplerTest, EveryDrawFitsAndEveryFittingNetIsDrawn) {
  const SlotSampler sampler(chain_, costs());
  const auto archs = lathe::testing::all_archs(space_);
  Rng rng(1);
  for (const double extra : {0.0, 0.02, 0.1}) {
    const double limit = least() + extra;
    std::map<space::Arch, int> drawn;
    for (int i = 0; i < 40000; ++i) {
      const space::Arch arch = sampler.sample(limit, rng);
      ASSERT_LE(costs().total(arch), limit * (1 + 1e-12));
      ASSERT_EQ(arch, space_.canonical(arch));
      ++drawn[arch];
    }
    const auto fitting = std::ranges::count_if(
        archs, [&](const space::Arch& arch) { return costs().total(arch) <= limit; });
    EXPECT_EQ(static_cast<std::ptrdiff_t>(drawn.size()), fitting) << extra;
  }
}

TEST_F(SlotSamplerTest, ASlotsChoiceIsUniformAmongThoseThatLeaveRoom) {
  const SlotSampler sampler(chain_, costs());
  Rng rng(2);
  constexpr int kDraws = 20000;
  int largest_resolution = 0;
  for (int i = 0; i < kDraws; ++i) {
    largest_resolution += sampler.sample(1e9, rng).choices.back();
  }
  EXPECT_NEAR(static_cast<double>(largest_resolution) / kDraws, 0.5, 0.015);
}

TEST_F(SlotSamplerTest, BelowTheCheapestItGivesTheCheapest) {
  const SlotSampler sampler(chain_, costs());
  Rng rng(3);
  EXPECT_EQ(sampler.sample(0.001, rng), sampler.cheapest());
}

TEST_F(SlotSamplerTest, UncoveredAndRefusedEntriesAreNeverTaken) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const space::SlotCosts holed(
      space_, [&](const space::Block& block) { return block.kernel == 5 ? nan : 1.0; });
  const SlotSampler without_large_kernels(chain_, holed);
  const SlotSampler refusing(chain_, costs(), [&](std::size_t slot, std::size_t entry) {
    return !(holed.table(slot)[entry] != holed.table(slot)[entry]);
  });
  Rng rng(4);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(std::isnan(holed.total(without_large_kernels.sample(1e9, rng))));
    EXPECT_FALSE(std::isnan(holed.total(refusing.sample(1e9, rng))));
  }
}

TEST_F(SlotSamplerTest, WithoutAPassableNetThereIsNoCheapest) {
  const SlotSampler nothing(chain_, costs(), [](std::size_t, std::size_t) { return false; });
  EXPECT_EQ(nothing.cheapest(), std::nullopt);
  Rng rng(5);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { nothing.sample(1.0, rng); }),
            "[search::SlotSampler::sample] no net is passable");
}

}  // namespace
}  // namespace lathe::search
