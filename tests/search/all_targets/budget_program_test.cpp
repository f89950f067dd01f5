#include "lathe/search/all_targets/budget_program.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/space/slot_chain.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

space::SlotCosts random_costs(const space::Space& space, std::uint64_t seed) {
  Rng rng(seed);
  return {space, [&](const space::Block&) { return 0.5 + rng.uniform(); }, 1.0};
}

// Of every transition.
std::vector<float> scores_of(const space::SlotChain& chain, const space::SlotCosts& value) {
  const std::vector<double> costs = chain.costs(value);
  return {costs.begin(), costs.end()};
}

TEST(BudgetProgramTest, EqualsEnumerationUpToABin) {
  const TinySpace space;
  const space::SlotChain chain(space);
  const auto archs = lathe::testing::all_archs(space);
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const space::SlotCosts latency = random_costs(space, seed);
    const space::SlotCosts value = random_costs(space, seed + 100);
    BudgetProgram program(chain.trellis(), chain.costs(latency), 20.0, 4000);
    program.solve(scores_of(chain, value));
    for (double limit_ms = 4.0; limit_ms < 12.0; limit_ms += 0.37) {
      // What fits with all bins' rounding against it is certain to be found.
      const double certain_ms = limit_ms - program.bin_ms() * 6;
      double least = -std::numeric_limits<double>::infinity();
      double most = least;
      for (const space::Arch& arch : archs) {
        const double ms = latency.total(arch);
        least = ms <= certain_ms ? std::max(least, value.total(arch)) : least;
        most = ms <= limit_ms ? std::max(most, value.total(arch)) : most;
      }
      const auto best = program.best(limit_ms);
      ASSERT_TRUE(best || !std::isfinite(least)) << limit_ms;
      if (best) {
        const space::Arch arch = chain.arch(*best);
        EXPECT_LE(latency.total(arch), limit_ms);
        EXPECT_GE(value.total(arch), least - 1e-5);
        EXPECT_LE(value.total(arch), most + 1e-5);
      }
    }
  }
}

TEST(BudgetProgramTest, CoarseBinsStillKeepTheLimit) {
  const TinySpace space(3);
  const space::SlotChain chain(space);
  const space::SlotCosts latency = random_costs(space, 5);
  BudgetProgram program(chain.trellis(), chain.costs(latency), 14.0, 12);
  program.solve(scores_of(chain, random_costs(space, 6)));
  int found = 0;
  for (double limit_ms = 5.0; limit_ms < 14.0; limit_ms += 0.1) {
    if (const auto best = program.best(limit_ms)) {
      ++found;
      EXPECT_LE(latency.total(chain.arch(*best)), limit_ms);
    }
  }
  EXPECT_GT(found, 50);
}

TEST(BudgetProgramTest, UnknownLatenciesAreAvoided) {
  const TinySpace space;
  const space::SlotChain chain(space);
  const space::SlotCosts latency(space, [](const space::Block& block) {
    return block.kernel == 5 ? std::numeric_limits<double>::quiet_NaN() : 1.0;
  });
  BudgetProgram program(chain.trellis(), chain.costs(latency), 20.0, 100);
  program.solve(scores_of(chain, random_costs(space, 1)));
  const auto best = program.best(20.0);
  ASSERT_TRUE(best);
  for (const space::Block& block : space.blocks(chain.arch(*best))) {
    EXPECT_NE(block.kernel, 5);
  }
}

TEST(BudgetProgramTest, NothingBelowTheFastestNet) {
  const TinySpace space;
  const space::SlotChain chain(space);
  const space::SlotCosts latency = random_costs(space, 1);
  const double fastest_ms = chain.minimum(latency).second;
  BudgetProgram program(chain.trellis(), chain.costs(latency), 20.0, 500);
  EXPECT_FALSE(program.best(20.0)) << "nothing was solved yet";
  program.solve(scores_of(chain, random_costs(space, 2)));
  EXPECT_FALSE(program.best(fastest_ms * 0.99));
  EXPECT_FALSE(program.best(-1.0));
  EXPECT_TRUE(program.best(fastest_ms + 6 * program.bin_ms()));
}

TEST(BudgetProgramTest, RefusesWhatCannotBe) {
  const TinySpace space;
  const space::SlotChain chain(space);
  const space::SlotCosts latency(space, [](const space::Block&) { return 1.0; });
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { BudgetProgram(chain.trellis(), chain.costs(latency), 20.0, 1); }),
            "[search::BudgetProgram] bins must be >= 2, got 1");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { BudgetProgram(chain.trellis(), chain.costs(latency), 4.0, 10); }),
            "[search::BudgetProgram] max_ms must be at least the fastest path's 5.000000, got "
            "4.000000");
  BudgetProgram program(chain.trellis(), chain.costs(latency), 20.0, 10);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { program.solve({}); }),
            "[search::BudgetProgram::solve] scores must have a number for each of the " +
                std::to_string(chain.trellis().num_transitions()) + " transitions, got 0");
}

}  // namespace
}  // namespace lathe::search
