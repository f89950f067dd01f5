#include "lathe/core/error.h"

#include <gtest/gtest.h>

#include <vector>

namespace lathe {
namespace {

TEST(NearestNames, PutsTheClosestFirst) {
  const std::vector<std::string> known{"ofa_mbv3_w1.0", "mbv3_28", "ofa_resnet50d"};
  EXPECT_EQ(nearest_names("mbv3", known), R"(did you mean "mbv3_28" or "ofa_mbv3_w1.0"?)");
  EXPECT_EQ(nearest_names("mbv3_82", known), R"(did you mean "mbv3_28"?)");
  EXPECT_EQ(nearest_names("OFA_ResNet50", known), R"(did you mean "ofa_resnet50d"?)");
}

TEST(NearestNames, ShowsAtMostThree) {
  const std::vector<std::string> known{"net_a", "net_b", "net_c", "net_d"};
  EXPECT_EQ(nearest_names("net_x", known), R"(did you mean "net_a", "net_b" or "net_c"?)");
}

TEST(NearestNames, ListsAllWhenNothingIsClose) {
  const std::vector<std::string> known{"fashion-mnist", "cifar10"};
  EXPECT_EQ(nearest_names("imagenet", known), R"(known: "fashion-mnist", "cifar10")");
  EXPECT_EQ(nearest_names("", known), R"(known: "fashion-mnist", "cifar10")");
  EXPECT_EQ(nearest_names("x", {}), "none is known");
}

}  // namespace
}  // namespace lathe
