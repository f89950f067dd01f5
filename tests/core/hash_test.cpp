#include "lathe/core/hash.h"

#include <gtest/gtest.h>

#include <string_view>

namespace lathe {
namespace {

// The authors' test vectors.
TEST(Fnv1aTest, GivesThePublishedValues) {
  EXPECT_EQ(fnv1a(std::string_view("")), 0xcbf29ce484222325ULL);
  EXPECT_EQ(fnv1a(std::string_view("a")), 0xaf63dc4c8601ec8cULL);
  EXPECT_EQ(fnv1a(std::string_view("foobar")), 0x85944171f73967e8ULL);
}

}  // namespace
}  // namespace lathe
