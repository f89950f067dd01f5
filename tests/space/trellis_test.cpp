#include "lathe/space/trellis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "space_fixtures/random_trellis.h"

namespace lathe::space {
namespace {

using lathe::testing::text_thrown;

// One state, then two, then three, then one; the last step has two ways from its second state.
Trellis example() {
  const std::vector<std::uint32_t> sizes{1, 2, 3, 1};
  const std::vector<std::vector<Transition>> steps{
      {{0, 0}, {0, 1}}, {{0, 0}, {1, 0}, {0, 1}, {1, 2}}, {{0, 0}, {1, 0}, {1, 0}, {2, 0}}};
  return {sizes, steps};
}

TEST(Trellis, NumbersStatesAndTransitionsOverAllSteps) {
  const Trellis trellis = example();
  EXPECT_EQ(trellis.num_steps(), 3U);
  EXPECT_EQ(trellis.num_states(), 7U);
  EXPECT_EQ(trellis.num_transitions(), 10U);
  EXPECT_EQ(trellis.first_state(1), 1U);
  EXPECT_EQ(trellis.first_state(2), 3U);
  EXPECT_EQ(trellis.layer_size(2), 3U);
  EXPECT_EQ(trellis.first_transition(1), 2U);
  EXPECT_EQ(trellis.first_transition(3), 10U);
  EXPECT_EQ(trellis.transition(5), (Transition{.from = 2, .to = 5}));
  EXPECT_TRUE(std::ranges::equal(trellis.leaving(1), std::vector<std::uint32_t>{2, 4}));
  EXPECT_TRUE(std::ranges::equal(trellis.leaving(4), std::vector<std::uint32_t>{7, 8}));
  EXPECT_EQ(trellis.first_arriving(3), 2U);
  EXPECT_EQ(trellis.first_arriving(4), 4U);
  EXPECT_EQ(lathe::testing::all_paths(trellis).size(), 5U);
}

TEST(Trellis, EveryTransitionLeavesAndArrivesOnce) {
  Rng rng(1);
  for (int round = 0; round < 50; ++round) {
    const Trellis trellis = lathe::testing::random_trellis(rng);
    std::multiset<std::uint32_t> leaving;
    for (std::uint32_t state = 0; state < trellis.num_states(); ++state) {
      for (const std::uint32_t t : trellis.leaving(state)) {
        EXPECT_EQ(trellis.transition(t).from, state);
        leaving.insert(t);
      }
      for (std::uint32_t t = trellis.first_arriving(state);
           state + 1 < trellis.num_states() && t < trellis.first_arriving(state + 1); ++t) {
        EXPECT_EQ(trellis.transition(t).to, state);
      }
    }
    EXPECT_EQ(leaving.size(), trellis.num_transitions());
    EXPECT_EQ(std::set(leaving.begin(), leaving.end()).size(), trellis.num_transitions());
  }
}

TEST(Trellis, TotalsAlongAPath) {
  const std::vector<double> costs{1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
  const Path path{0, 4, 8};
  EXPECT_EQ(Trellis::total(path, costs), 1 + 16 + 256);
}

TEST(Trellis, RefusesWhatIsNone) {
  using Sizes = std::vector<std::uint32_t>;
  using Steps = std::vector<std::vector<Transition>>;
  const auto refused = [](const Sizes& sizes, const Steps& steps) {
    return text_thrown<std::invalid_argument>([&] { Trellis(sizes, steps); });
  };
  EXPECT_EQ(refused({1}, {}),
            "[space::Trellis] there must be a step, and one more layer than steps, got 1 layers "
            "and 0 steps");
  EXPECT_EQ(refused({2, 1}, {{{0, 0}}}),
            "[space::Trellis] the first and the last layer must have one state, got 2 and 1");
  EXPECT_EQ(refused({1, 0, 1}, {{}, {}}), "[space::Trellis] every layer must have a state");
  EXPECT_EQ(refused({1, 1}, {{{0, 1}}}),
            "[space::Trellis] transitions must be between states of their layers");
  EXPECT_EQ(refused({1, 2, 1}, {{{0, 1}, {0, 0}}, {{0, 0}}}),
            "[space::Trellis] transitions must ascend by to, then from");
  EXPECT_EQ(refused({1, 4000000000U, 4000000000U, 1}, {{}, {}, {}}),
            "[space::Trellis] there must be at most 2^31 states, got 8000000002");
}

}  // namespace
}  // namespace lathe::space
