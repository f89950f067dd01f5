#include "lathe/search/all_targets/exchange_units.h"

#include <gtest/gtest.h>

#include <set>

#include "lathe/space/builtin_spaces.h"
#include "lathe/space/slot_costs.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::TinySpace;

TEST(ExchangeUnitsTest, BlocksAreOneUnitAndSharedDecisionsOneEach) {
  const auto space = space::make_space("ofa_mbv3_w1.2", {.resolutions = {160, 192}});
  const ExchangeUnits units(*space, space::SlotChain(*space));
  // 20 blocks of 9 options, 5 depths of 3, 2 resolutions.
  EXPECT_EQ(units.num_units(), 26U);
  EXPECT_EQ(units.size(), 20U * 9 + 5 * 3 + 2);
  const auto widths = space::make_space("ofa_resnet50d", {.input_size = 64});
  // 18 blocks of 3 expansions, 4 depths of 3, 5 widths of 3; the stem's depth and mid width, which
  // nothing else sees, are one unit.
  const ExchangeUnits resnet(*widths, space::SlotChain(*widths));
  EXPECT_EQ(resnet.size(), 18U * 3 + 4 * 3 + 5 * 3 + 2 * 3);
}

TEST(ExchangeUnitsTest, ExchangesReachEveryNeighbourAndNothingElse) {
  const TinySpace space;
  const ExchangeUnits units(space, space::SlotChain(space));
  for (const space::Arch& arch : lathe::testing::all_archs(space)) {
    for (std::size_t u = 0; u < units.num_units(); ++u) {
      std::set<space::Arch> reached;
      for (int o = 0; o < units.num_options(u); ++o) {
        const space::Arch other = units.exchanged(arch, u, o);
        EXPECT_EQ(space.canonical(other), other);
        reached.insert(other);
        if (units.alive(arch, u)) {
          EXPECT_EQ(units.option(other, u), o);
        }
      }
      EXPECT_TRUE(reached.contains(arch)) << "its own option, or dead";
      EXPECT_EQ(reached.size(),
                units.alive(arch, u) ? static_cast<std::size_t>(units.num_options(u)) : 1U);
    }
  }
}

TEST(ExchangeUnitsTest, TransitionsScoreWhatTheLivingUnitsContribute) {
  for (const char* name : {"ofa_mbv3_w1.0", "ofa_resnet50d", "compofa_mbv3", "mbv3_28"}) {
    const auto space = space::make_space(name, {.input_size = 32});
    const space::SlotChain chain(*space);
    const ExchangeUnits units(*space, chain);
    Rng rng(3);
    std::vector<float> effects;
    std::vector<std::vector<double>> weights;
    for (const space::Decision& decision : space->decisions()) {
      weights.emplace_back();
      for (int c = 0; c < decision.num_choices(); ++c) {
        weights.back().push_back(rng.uniform());
        effects.push_back(static_cast<float>(weights.back().back()));
      }
    }
    const space::SlotCosts expected(*space, weights);
    std::vector<float> scores;
    units.score_transitions(units.from_effects(effects), scores);
    for (int i = 0; i < 30; ++i) {
      const space::Arch arch = space->sample(rng);
      // The path of the arch through the chain, found by its choices.
      double total = 0;
      std::uint32_t state = 0;
      for (std::size_t s = 0; s < chain.trellis().num_steps(); ++s) {
        bool found = false;
        for (const std::uint32_t t : chain.trellis().leaving(state)) {
          space::Arch decided = arch;
          chain.decide(s, t, decided);
          if (!found && decided == arch) {
            total += static_cast<double>(scores[t]);
            state = chain.trellis().transition(t).to;
            found = true;
          }
        }
        ASSERT_TRUE(found);
      }
      EXPECT_NEAR(total, expected.total(arch), 1e-4) << name;
    }
  }
}

}  // namespace
}  // namespace lathe::search
