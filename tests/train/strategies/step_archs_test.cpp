// Draws of a step: one resolution, only what is open, and the same each time.
#include "lathe/train/strategies/step_archs.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "lathe/space/builtin_spaces.h"
#include "nn/small_space.h"

namespace lathe::train {
namespace {

TEST(StepArchs, OfOneStepHaveOneResolution) {
  const auto space = space::make_space("ofa_mbv3_w1.0", {.resolutions = {128, 160, 192, 224}});
  std::map<int, int> seen;
  for (std::int64_t step = 0; step < 40; ++step) {
    StepArchs archs(*space, 1, 2, step);
    const int size = space->input_size(archs.largest());
    EXPECT_EQ(space->input_size(archs.smallest()), size);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(space->input_size(archs.sample()), size);
    }
    ++seen[size];
  }
  EXPECT_EQ(seen.size(), 4U) << "all are drawn";
}

TEST(StepArchs, AreAFunctionOfSeedStreamAndStep) {
  const auto space = lathe::testing::small_space();
  const auto first = [&](std::uint64_t seed, std::uint64_t stream, std::int64_t step) {
    StepArchs archs(*space, seed, stream, step);
    return std::vector{archs.sample(), archs.sample(), archs.sample()};
  };
  EXPECT_EQ(first(1, 2, 3), first(1, 2, 3));
  EXPECT_NE(first(1, 2, 3), first(4, 2, 3));
  EXPECT_NE(first(1, 2, 3), first(1, 4, 3));
  EXPECT_NE(first(1, 2, 3), first(1, 2, 4));
}

TEST(StepArchs, SampleFromDrawsAllThatIsOpenAndNothingElse) {
  const auto space = lathe::testing::small_space();
  std::vector<std::uint8_t> open = space->largest().choices;
  ASSERT_GE(space->decisions()[0].num_choices(), 2);
  open[0] = 0;
  std::set<std::uint8_t> drawn;
  StepArchs archs(*space, 1, 1, 0);
  for (int i = 0; i < 50; ++i) {
    const space::Arch arch = archs.sample_from(open);
    drawn.insert(arch.choices[0]);
    for (std::size_t d = 1; d < arch.choices.size(); ++d) {
      EXPECT_EQ(arch.choices[d], space->largest().choices[d]) << d;
    }
  }
  EXPECT_EQ(drawn.size(), static_cast<std::size_t>(space->decisions()[0].num_choices()));
}

}  // namespace
}  // namespace lathe::train
