// Nets on images of another size, against what the spaces make for that size.
#include "lathe/graph/input_size.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/space_file.h"

namespace lathe::space {
namespace {

using lathe::testing::text_thrown;

TEST(WithInputSize, IsTheNetThatTheSpaceHasForThatSize) {
  for (const std::string& name : builtin_space_names()) {
    const auto at = [&](int side) {
      return open_space(name, {.in_channels = 3, .num_classes = 7, .input_size = side});
    };
    // Width chains have other stems up to 48 pixels.
    const auto large = at(96), small = at(64);
    Rng rng(1);
    for (int i = 0; i < 3; ++i) {
      const Arch arch = large->sample(rng);
      if (large->input_sizes().size() > 1) {
        const graph::Graph net = large->graph(arch);
        EXPECT_EQ(graph::with_input_size(net, large->input_size(arch)), net) << name;
        continue;
      }
      EXPECT_EQ(graph::with_input_size(large->graph(arch), 64), small->graph(arch)) << name;
      EXPECT_EQ(graph::with_input_size(large->training_graph(arch), 64),
                small->training_graph(arch))
          << name;
    }
  }
}

TEST(WithInputSize, RefusesWhatDoesNotEndInAPool) {
  graph::Graph map({3, 8, 8});
  map.conv(0, "a", {.out_channels = 4, .kernel = 3});
  const std::string text =
      text_thrown<std::invalid_argument>([&] { graph::with_input_size(map, 4); });
  EXPECT_TRUE(text.starts_with("[graph::with_input_size] on images of 4 pixels")) << text;
  graph::Graph windows({3, 8, 8});
  windows.conv(0, "a", {.out_channels = 4, .kernel = 7, .padding = 0});
  EXPECT_TRUE(text_thrown<std::invalid_argument>([&] {
                graph::with_input_size(windows, 4);
              }).starts_with("[graph::conv] a: kernel 7 is larger than 3x4x4"));
}

}  // namespace
}  // namespace lathe::space
