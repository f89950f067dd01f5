// Groups of small nets, by hand.
#include "lathe/graph/channel_groups.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lathe::graph {
namespace {

using Axes = std::vector<ParameterAxis>;

/// The group that a parameter's axis belongs to.
const ChannelGroup& group_of(const std::vector<ChannelGroup>& groups, const ParameterAxis& axis) {
  for (const ChannelGroup& group : groups) {
    for (const ParameterAxis& other : group.axes) {
      if (other == axis) return group;
    }
  }
  ADD_FAILURE() << axis.name << " is in no group";
  return groups.front();
}

TEST(ChannelGroups, OfAnInvertedResidualWithAGate) {
  Graph g({3, 8, 8});
  const int stem = g.conv(0, "stem", {.out_channels = 4, .kernel = 3});
  int x = g.conv(stem, "expand", {.out_channels = 12});
  x = g.batch_norm(x, "bn", 1e-5);
  x = g.conv(x, "depthwise", {.out_channels = 12, .kernel = 3, .groups = 12});
  int gate = g.global_avg_pool(x);
  gate = g.conv(gate, "reduce", {.out_channels = 5, .bias = true});
  gate = g.conv(gate, "restore", {.out_channels = 12, .bias = true});
  x = g.mul(x, g.activation(gate, Activation::kHSigmoid));
  x = g.conv(x, "project", {.out_channels = 4});
  x = g.add(x, stem);
  g.linear(g.global_avg_pool(x), "fc", 7, true);

  const std::vector<ChannelGroup> groups = channel_groups(g);
  const ChannelGroup& inner = group_of(groups, {"expand.weight", 0});
  EXPECT_EQ(inner.channels, 12);
  EXPECT_TRUE(inner.movable);
  EXPECT_EQ(inner.axes, (Axes{{"expand.weight", 0},
                              {"bn.weight", 0},
                              {"bn.bias", 0},
                              {"bn.running_mean", 0},
                              {"bn.running_var", 0},
                              {"depthwise.weight", 0},
                              {"reduce.weight", 1},
                              {"restore.weight", 0},
                              {"restore.bias", 0},
                              {"project.weight", 1}}));
  EXPECT_EQ(inner.readers, (Axes{{"project.weight", 1}})) << "the gate reads means only";
  const ChannelGroup& middle = group_of(groups, {"reduce.weight", 0});
  EXPECT_EQ(middle.axes, (Axes{{"reduce.weight", 0}, {"reduce.bias", 0}, {"restore.weight", 1}}));
  EXPECT_EQ(middle.readers, (Axes{{"restore.weight", 1}}));
  // What is added has one order.
  const ChannelGroup& stream = group_of(groups, {"stem.weight", 0});
  EXPECT_EQ(
      stream.axes,
      (Axes{{"stem.weight", 0}, {"expand.weight", 1}, {"project.weight", 0}, {"fc.weight", 1}}));
  EXPECT_EQ(stream.readers, (Axes{{"expand.weight", 1}}));
  // Colours and classes stay where they are.
  EXPECT_FALSE(group_of(groups, {"stem.weight", 1}).movable);
  EXPECT_FALSE(group_of(groups, {"fc.weight", 0}).movable);
}

TEST(ChannelGroups, MeansCountWhereNothingElseReads) {
  Graph g({1, 4, 4});
  const int x = g.conv(0, "conv", {.out_channels = 6});
  g.linear(g.global_avg_pool(x), "fc", 2, false);
  EXPECT_EQ(group_of(channel_groups(g), {"conv.weight", 0}).readers, (Axes{{"fc.weight", 1}}));
}

TEST(ChannelGroups, ConcatenatedAndGroupedChannelsStay) {
  Graph g({2, 4, 4});
  const int a = g.conv(0, "a", {.out_channels = 3});
  const int b = g.conv(0, "b", {.out_channels = 3});
  const int both = g.conv(g.concat({a, b}), "both", {.out_channels = 4});
  const int grouped = g.conv(both, "grouped", {.out_channels = 4, .groups = 2});
  const int free = g.conv(grouped, "free", {.out_channels = 5});
  g.conv(free, "last", {.out_channels = 1});
  const std::vector<ChannelGroup> groups = channel_groups(g);
  for (const std::string name : {"a", "b", "both", "grouped"}) {
    EXPECT_FALSE(group_of(groups, {name + ".weight", 0}).movable) << name;
  }
  EXPECT_TRUE(group_of(groups, {"free.weight", 0}).movable);
}

}  // namespace
}  // namespace lathe::graph
