#include "lathe/space/same_net.h"

#include <gtest/gtest.h>

#include "lathe/space/builtin_spaces.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::space {
namespace {

TEST(SameNetTest, CellsUnderOtherLabelsHaveOneNumber) {
  const auto space = make_space("darts", {.init_channels = 16, .cells = 1});
  Rng rng(1);
  std::vector<Arch> same;
  while (same.size() < 3) {
    same = space->equivalents(space->sample(rng));
  }
  const Arch other = space->sample(rng);
  const std::vector<Arch> archs{same[2], other, same[0], same[1], other};
  EXPECT_EQ(number_nets(*space, archs), (std::vector<std::size_t>{0, 1, 0, 0, 1}));
  EXPECT_EQ(representative(*space, same[2]), same[0]);
}

TEST(SameNetTest, DeadDecisionsMakeNoOtherNet) {
  const lathe::testing::TinySpace space;
  Arch shallow = space.smallest();
  Arch renamed = shallow;
  renamed.choices[2] = 1;  // the kernel of a block beyond the depth
  ASSERT_FALSE(space.alive(renamed, 2));
  Arch deep = shallow;
  deep.choices[4] = 1;
  EXPECT_EQ(number_nets(space, std::vector<Arch>{shallow, renamed, deep}),
            (std::vector<std::size_t>{0, 0, 1}));
  EXPECT_EQ(representative(space, renamed), shallow);
}

TEST(SameNetTest, LeavesOutNetsOfOthersUnderAnyName) {
  struct Sample {
    Arch arch;
    int id = 0;
  };
  const auto space = make_space("darts", {.init_channels = 16, .cells = 1});
  Rng rng(1);
  std::vector<Arch> same;
  while (same.size() < 3) {
    same = space->equivalents(space->sample(rng));
  }
  const Arch other = space->sample(rng);
  const std::vector<Sample> known{{same[1]}};
  const auto rest =
      without_nets_of(known, *space, std::vector<Sample>{{same[0], 1}, {other, 2}, {same[2], 3}});
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest.front().id, 2);
  EXPECT_EQ(number_nets(*space, rest), std::vector<std::size_t>{0});
}

}  // namespace
}  // namespace lathe::space
