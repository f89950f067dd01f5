#include "lathe/space/slot_costs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/graph/counts.h"
#include "lathe/space/builtin_spaces.h"
#include "space/tiny_spaces.h"

namespace lathe::space {
namespace {

double macs_of(const Block& block) {
  return static_cast<double>(graph::macs(lower(std::vector<Block>{block})));
}

TEST(Slots, TheirDecisionsDetermineTheirBlocks) {
  for (const auto& space : testing::tiny_spaces()) {
    for (int s = 0; s < static_cast<int>(space->slots().size()); ++s) {
      const std::vector<int>& scope = space->slots()[static_cast<std::size_t>(s)].decisions;
      for (const Arch& arch : testing::every_arch(*space)) {
        Arch alone{std::vector<std::uint8_t>(arch.choices.size(), 0)};
        for (const int i : scope) {
          alone.choices[static_cast<std::size_t>(i)] = arch.choices[static_cast<std::size_t>(i)];
        }
        ASSERT_EQ(space->blocks(arch, s), space->blocks(alone, s)) << space->name() << " " << s;
      }
    }
  }
}

TEST(Slots, CoverEveryDecisionInAscendingOrder) {
  for (const std::string& name : builtin_space_names()) {
    const auto space = make_space(name);
    std::set<int> covered;
    for (const Slot& slot : space->slots()) {
      EXPECT_TRUE(std::ranges::is_sorted(slot.decisions)) << name;
      covered.insert(slot.decisions.begin(), slot.decisions.end());
      const bool sees_resolution = std::ranges::any_of(slot.decisions, [&](int i) {
        return space->decisions()[static_cast<std::size_t>(i)].group == "r";
      });
      EXPECT_EQ(sees_resolution, space->input_sizes().size() > 1) << name;
    }
    EXPECT_EQ(covered.size(), space->decisions().size()) << name;
  }
}

TEST(Slots, AnUnknownOneIsRefused) {
  const auto space = make_mobile_space(testing::tiny_mobile());
  EXPECT_EQ(testing::text_thrown<std::invalid_argument>(
                [&] { static_cast<void>(space->blocks(space->smallest(), 7)); }),
            "[space::Space::blocks] slot of tiny_mobile must be below 7, got 7");
}

TEST(SlotCosts, TotalIsTheSumOverTheBlocks) {
  for (const auto& space : testing::tiny_spaces()) {
    const SlotCosts macs(*space, macs_of, 3.0);
    for (const Arch& arch : testing::every_arch(*space)) {
      const double expected = 3.0 + static_cast<double>(graph::macs(space->graph(arch)));
      ASSERT_DOUBLE_EQ(macs.total(arch), expected) << space->name();
      ASSERT_DOUBLE_EQ(macs.total(space->canonical(arch)), expected) << space->name();
    }
  }
}

TEST(SlotCosts, ParametersOfLargeSpacesAddUpToo) {
  for (const char* name : {"ofa_mbv3_w1.2", "ofa_resnet50d", "compofa_mbv3", "mbv3_28"}) {
    const auto space = make_space(name);
    const SlotCosts params(*space, [](const Block& block) {
      return static_cast<double>(graph::params(lower(std::vector<Block>{block})));
    });
    Rng rng(4);
    for (int i = 0; i < 20; ++i) {
      const Arch arch = space->sample(rng);
      ASSERT_DOUBLE_EQ(params.total(arch), static_cast<double>(graph::params(space->graph(arch))))
          << name;
    }
  }
}

TEST(SlotCosts, AnUnknownBlockMakesItsNetsNan) {
  const auto space = make_mobile_space(testing::tiny_mobile());
  const SlotCosts costs(*space, [](const Block& block) {
    return block.kernel == 5 ? std::numeric_limits<double>::quiet_NaN() : 1.0;
  });
  for (const Arch& arch : testing::every_arch(*space)) {
    const std::vector<Block> blocks = space->blocks(arch);
    const bool unknown = std::ranges::any_of(blocks, [](const Block& b) { return b.kernel == 5; });
    ASSERT_EQ(std::isnan(costs.total(arch)), unknown);
  }
}

TEST(SlotCosts, WeightsCountForLivingDecisionsOnly) {
  for (const auto& space : testing::tiny_spaces()) {
    std::vector<std::vector<double>> weights;
    double next = 1.0;
    for (const Decision& decision : space->decisions()) {
      weights.emplace_back();
      for (int c = 0; c < decision.num_choices(); ++c) {
        weights.back().push_back(next += 0.37);
      }
    }
    const SlotCosts costs(*space, weights, -2.0);
    for (const Arch& arch : testing::every_arch(*space)) {
      double expected = -2.0;
      for (std::size_t i = 0; i < weights.size(); ++i) {
        if (space->alive(arch, static_cast<int>(i))) {
          expected += weights[i][arch.choices[i]];
        }
      }
      ASSERT_NEAR(costs.total(arch), expected, 1e-12) << space->name();
    }
  }
}

TEST(SlotCosts, TablesFollowTheOrderOfAssignments) {
  const auto space = make_bottleneck_space(testing::tiny_bottleneck());
  const SlotCosts costs(*space, macs_of);
  ASSERT_EQ(costs.num_slots(), space->slots().size());
  for (std::size_t s = 0; s < costs.num_slots(); ++s) {
    std::size_t index = 0;
    space->for_each_assignment(static_cast<int>(s), [&](const Arch& arch) {
      ASSERT_EQ(costs.table(s)[index++], costs.at(s, arch));
    });
    EXPECT_EQ(index, costs.table(s).size());
  }
}

TEST(SlotCosts, WeightsOfAnotherShapeAreRefused) {
  const auto space = make_mobile_space(testing::tiny_mobile());
  const std::vector<std::vector<double>> weights(10, std::vector<double>(3, 0.0));
  EXPECT_EQ(testing::text_thrown<std::invalid_argument>([&] { SlotCosts(*space, weights); }),
            "[space::SlotCosts] weights must have one list for each of the 10 decisions of "
            "tiny_mobile and one number for each of its choices");
}

TEST(SlotCosts, OfSlotsTakeAnyNumber) {
  for (const auto& space : testing::tiny_spaces()) {
    const SlotCosts counts = SlotCosts::of_slots(
        *space,
        [&](int s, const Arch& arch) { return static_cast<double>(space->blocks(arch, s).size()); },
        0.5);
    EXPECT_EQ(counts.constant(), 0.5);
    for (const Arch& arch : testing::every_arch(*space)) {
      ASSERT_EQ(counts.total(arch), 0.5 + static_cast<double>(space->blocks(arch).size()));
    }
  }
}

}  // namespace
}  // namespace lathe::space
