#include "lathe/core/error.h"

#include <gtest/gtest.h>

#include <vector>

namespace lathe {
namespace {

TEST(Error, IsOneLineWhateverCame) {
  EXPECT_STREQ(Error("a: expected x, got y").what(), "a: expected x, got y");
  EXPECT_STREQ(Error("a\nb\r\tc\x1b[1m\x7f").what(), "a b  c [1m ");
  EXPECT_STREQ(Error("\u00e4 \u2014").what(), "\u00e4 \u2014");
}

TEST(Error, LeavesOutTheMiddleOfWhatIsLong) {
  const std::string whole(1800, 'x');
  EXPECT_EQ(Error(whole).what(), whole);
  EXPECT_EQ(Error("begin " + std::string(100000, 'x') + " end").what(),
            "begin " + std::string(1194, 'x') + " ... " + std::string(596, 'x') + " end");
  std::string umlauts = "a";
  for (int i = 0; i < 1000; ++i) umlauts += "\u00e4";
  const std::string text = Error(umlauts).what();
  EXPECT_EQ(text.size(), 1199U + 5 + 600);
  EXPECT_EQ(text.find("\u00e4 ... \u00e4"), 1197U) << "whole characters";
}

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
