#include "lathe/core/json_fields.h"

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"

namespace lathe {
namespace {

using nlohmann::json;
using testing::text_thrown;

constexpr NumberDomain kSmall{.low = 1, .high = 4};
constexpr NumberDomain kOdd{.kind = NumberDomain::Kind::kOddInteger, .high = 7};
constexpr NumberDomain kShare{.kind = NumberDomain::Kind::kReal, .low = 0.5, .high = 2};

class JsonFieldsTest : public ::testing::Test {
 protected:
  JsonFields fields() const {
    return {content_, "f.json", "", {"count", "share", "on", "name", "list", "inner", "items"}};
  }
  template <typename Read>
  std::string error(const Read& read) const {
    return text_thrown<Error>([&] { read(fields()); });
  }

  json content_ = json::parse(R"({"count": 3, "share": 0.5, "on": true, "name": "b",
                                  "list": [1, 3, 7], "inner": {"count": 9},
                                  "items": [{"count": 1}, {"count": 2}]})");
};

TEST_F(JsonFieldsTest, ReadsWhatIsThere) {
  const JsonFields f = fields();
  EXPECT_TRUE(f.has("count"));
  EXPECT_EQ(f.integer("count", kSmall), 3);
  EXPECT_EQ(f.number("share", kShare), 0.5);
  EXPECT_EQ(f.number("count", kSmall, 1), 3);
  EXPECT_TRUE(f.flag("on", false));
  EXPECT_EQ(f.identifier("name", 3), "b");
  EXPECT_EQ(f.one_of("name", {"a", "b"}), "b");
  EXPECT_EQ(f.ascending("list", kOdd, 3), (std::vector<double>{1, 3, 7}));
  EXPECT_EQ(f.object("inner", {"count"}).integer("count", {.high = 9}), 9);
  const auto items = f.objects("items", 2, {"count"});
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[1].integer("count", kSmall), 2);
}

TEST_F(JsonFieldsTest, TakesTheDefaultOfWhatIsMissing) {
  content_ = json::object();
  const JsonFields f = fields();
  EXPECT_FALSE(f.has("count"));
  EXPECT_EQ(f.integer("count", kSmall, 2), 2);
  EXPECT_EQ(f.number("share", kShare, 1.5), 1.5);
  EXPECT_FALSE(f.flag("on", false));
  EXPECT_EQ(f.one_of("name", {"a", "b"}, "a"), "a");
  EXPECT_EQ(f.object("inner", {"count"}).integer("count", kSmall, 1), 1);
}

TEST_F(JsonFieldsTest, NamesThePathOfAMistake) {
  const auto integer = [](const JsonFields& f) { f.integer("count", kSmall); };
  content_["count"] = 5;
  EXPECT_EQ(error(integer), "f.json: count: expected an integer in [1, 4], got 5");
  content_["count"] = 2.5;
  EXPECT_EQ(error(integer), "f.json: count: expected an integer in [1, 4], got 2.5");
  content_["count"] = -1e300;
  EXPECT_EQ(error(integer), "f.json: count: expected an integer in [1, 4], got -1e+300");
  content_["count"] = true;
  EXPECT_EQ(error(integer), "f.json: count: expected an integer in [1, 4], got true");
  content_.erase("count");
  EXPECT_EQ(error(integer), "f.json: count: expected an integer in [1, 4], got nothing");
  content_["share"] = "half";
  EXPECT_EQ(error([](const JsonFields& f) { f.number("share", kShare); }),
            "f.json: share: expected a number in [0.5, 2], got \"half\"");
  content_["on"] = 1;
  EXPECT_EQ(error([](const JsonFields& f) { f.flag("on"); }),
            "f.json: on: expected true or false, got 1");
  EXPECT_EQ(error([](const JsonFields& f) {
              f.one_of("name", {"c", "d"});
            }),
            "f.json: name: expected one of \"c\", \"d\", got \"b\"");
  content_["name"] = 7;
  EXPECT_EQ(error([](const JsonFields& f) { f.identifier("name", 3); }),
            "f.json: name: expected 1 to 3 letters, digits, \"_\", \"-\" or \".\", got 7");
  for (const char* bad : {"", "four", "a b", "\n", "\u00e9"}) {
    content_["name"] = bad;
    EXPECT_EQ(error([](const JsonFields& f) { f.identifier("name", 3); }),
              "f.json: name: expected 1 to 3 letters, digits, \"_\", \"-\" or \".\", got " +
                  json(bad).dump());
  }
  EXPECT_EQ(
      error([](const JsonFields& f) { f.object("inner", {"count"}).integer("count", kSmall); }),
      "f.json: inner.count: expected an integer in [1, 4], got 9");
  content_["items"][1] = 4;
  EXPECT_EQ(error([](const JsonFields& f) { f.objects("items", 2, {"count"}); }),
            "f.json: items[1]: expected an object, got 4");
  EXPECT_EQ(error([](const JsonFields& f) { f.fail("inner", "is odd"); }), "f.json: inner: is odd");
}

TEST_F(JsonFieldsTest, WantsListsAscendingAndShort) {
  const auto list = [](const JsonFields& f) { f.ascending("list", kOdd, 3); };
  content_["list"] = {3, 5, 5};
  EXPECT_EQ(error(list), "f.json: list[2]: expected more than 5, which stands before it, got 5");
  content_["list"] = {3, 4};
  EXPECT_EQ(error(list), "f.json: list[1]: expected an odd integer in [1, 7], got 4");
  content_["list"] = {1, 3, 5, 7};
  EXPECT_EQ(error(list), "f.json: list: expected a list of 1 to 3, got one of 4");
  content_["list"] = json::array();
  EXPECT_EQ(error(list), "f.json: list: expected a list of 1 to 3, got one of 0");
  content_["list"] = 3;
  EXPECT_EQ(error(list), "f.json: list: expected a list of 1 to 3, got 3");
  EXPECT_EQ(error([](const JsonFields& f) { f.objects("items", 1, {"count"}); }),
            "f.json: items: expected a list of 1 to 1, got one of 2");
}

TEST(JsonNumber, WritesWholeNumbersAsSuch) {
  EXPECT_EQ(json_number(3.0).dump(), "3");
  EXPECT_EQ(json_number(-0.35).dump(), "-0.35");
  EXPECT_EQ(json_number(1e300).dump(), "1e+300");
}

TEST_F(JsonFieldsTest, RefusesUnknownFields) {
  EXPECT_EQ(error([](const JsonFields& f) {
              f.object("inner", {"counts", "share"});
            }),
            "f.json: inner: unknown field \"count\": did you mean \"counts\"?");
  content_["shares"] = 1;
  EXPECT_EQ(text_thrown<Error>([&] { fields(); }),
            "f.json: unknown field \"shares\": did you mean \"share\"?");
  content_ = json::array();
  EXPECT_EQ(text_thrown<Error>([&] { fields(); }), "f.json: expected an object, got a list");
}

}  // namespace
}  // namespace lathe
