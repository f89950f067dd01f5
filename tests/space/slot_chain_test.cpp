#include "lathe/space/slot_chain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/min_sum.h"
#include "space/tiny_spaces.h"

namespace lathe::space {
namespace {

SlotCosts random_costs(const Space& space, std::uint64_t seed, double constant = 0.0) {
  Rng rng(seed);
  return SlotCosts(
      space, [&](const Block&) { return rng.uniform() * 2 - 0.5; }, constant);
}

std::set<Arch> canonical_archs(const Space& space) {
  std::set<Arch> archs;
  for (const Arch& arch : testing::every_arch(space)) {
    archs.insert(space.canonical(arch));
  }
  return archs;
}

TEST(SlotChain, PathsAreTheArchs) {
  for (const auto& space : testing::tiny_spaces()) {
    const SlotChain chain(*space);
    const SlotCosts costs = random_costs(*space, 1, 0.3);
    const std::vector<double> of_transitions = chain.costs(costs);
    std::multiset<Arch> found;
    Path path;
    const std::function<void(std::uint32_t)> walk = [&](std::uint32_t state) {
      if (path.size() == chain.trellis().num_steps()) {
        found.insert(chain.arch(path));
        ASSERT_EQ(Trellis::total(path, of_transitions), costs.total(chain.arch(path)));
        return;
      }
      for (const std::uint32_t t : chain.trellis().leaving(state)) {
        path.push_back(t);
        walk(chain.trellis().transition(t).to);
        path.pop_back();
      }
    };
    walk(0);
    const std::set<Arch> expected = canonical_archs(*space);
    EXPECT_TRUE(std::ranges::equal(found, expected)) << space->name() << " " << found.size();
  }
}

TEST(SlotChain, MinimumEqualsEnumeration) {
  for (const auto& space : testing::tiny_spaces()) {
    const SlotChain chain(*space);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const SlotCosts costs = random_costs(*space, seed, 5.0);
      double least = std::numeric_limits<double>::infinity();
      for (const Arch& arch : canonical_archs(*space)) {
        least = std::min(least, costs.total(arch));
      }
      const auto [arch, total] = chain.minimum(costs);
      EXPECT_EQ(space->canonical(arch), arch);
      EXPECT_EQ(costs.total(arch), total);
      EXPECT_NEAR(total, least, 1e-12);
      EXPECT_NEAR(suffix_minima(chain.trellis(), chain.costs(costs)).front(), least, 1e-12);
    }
  }
}

TEST(SlotChain, UnknownBlocksAreAvoided) {
  const auto space = make_mobile_space(testing::tiny_mobile());
  const SlotChain chain(*space);
  const SlotCosts costs(*space, [](const Block& block) {
    return block.kernel == 3 && block.stride == 2 && block.kind == BlockKind::kMbconv
               ? std::numeric_limits<double>::quiet_NaN()
               : 1.0;
  });
  EXPECT_FALSE(std::isnan(chain.minimum(costs).second));
  const SlotCosts unknown(*space,
                          [](const Block&) { return std::numeric_limits<double>::quiet_NaN(); });
  EXPECT_EQ(testing::text_thrown<std::invalid_argument>([&] { chain.minimum(unknown); }),
            "[space::SlotChain::minimum] no arch has a finite total");
}

TEST(SlotChain, BuiltinSpacesStaySmall) {
  for (const std::string& name : builtin_space_names()) {
    const auto space = make_space(name, {.input_size = 64});
    const SlotChain chain(*space);
    EXPECT_LT(chain.trellis().num_transitions(), 15000U) << name;
  }
}

}  // namespace
}  // namespace lathe::space
