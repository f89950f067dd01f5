#include "lathe/measure/reported.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"

namespace lathe::measure {
namespace {

using lathe::testing::text_thrown;

Reported read(const char* text) {
  return reported_from_json(nlohmann::json::parse(text), "answer");
}

TEST(ReportedTest, IsWhatTheAnswerSays) {
  const Reported all = read(R"({"latencies_ms": [1], "compute_ms": 0.9, "energy_mj": 3.5,
      "device_memory_mb": 12, "conditions": {"celsius": 41, "cluster": "big"}})");
  EXPECT_EQ(all.compute_ms, 0.9);
  EXPECT_EQ(all.energy_mj, 3.5);
  EXPECT_EQ(all.device_memory_mb, 12);
  EXPECT_EQ(all.conditions.at("celsius"), 41);
  EXPECT_EQ(reported_from_json(nlohmann::json(to_json(all)), "f"), all);
  EXPECT_EQ(to_json(read("{}")).dump(), "{}");
}

TEST(ReportedTest, OfSeveralTurns) {
  const std::vector<Reported> turns{read(R"({"energy_mj": 2, "device_memory_mb": 5})"),
                                    read(R"({"conditions": {"mhz": 900}})"),
                                    read(R"({"energy_mj": 4, "device_memory_mb": 3})")};
  const Reported all = together(turns);
  EXPECT_EQ(all.energy_mj, 3);
  EXPECT_EQ(all.device_memory_mb, 5);
  EXPECT_FALSE(all.compute_ms);
  EXPECT_EQ(all.conditions.at("mhz"), 900);
  EXPECT_EQ(together({}), Reported{});
}

TEST(ReportedTest, RefusesWhatIsNone) {
  EXPECT_EQ(text_thrown<Error>([] { read(R"({"energy_mj": -1})"); }),
            "answer: \"energy_mj\": expected a number >= 0, got -1");
  EXPECT_EQ(text_thrown<Error>([] {
              read(R"({"device_memory_mb": "much"})");
            }).rfind("answer: \"device_memory_mb\": expected a number, got ", 0),
            0U);
  EXPECT_EQ(text_thrown<Error>([] { read(R"({"conditions": "hot"})"); }),
            "answer: \"conditions\": expected an object, got \"hot\"");
}

}  // namespace
}  // namespace lathe::measure
