#include <nlohmann/json.hpp>

#include "apps/program.h"

namespace lathe::testing {
namespace {

TEST(Doctor, SaysWhatIsThere) {
  const Outcome text = run_lathe("doctor --seconds 0");
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find("LibTorch "), std::string::npos) << text.out;
  EXPECT_EQ(text.out.find("training "), std::string::npos) << text.out;

  const Outcome json = run_lathe("doctor --seconds 0.1 --threads 1 --json");
  ASSERT_EQ(json.exit_code, 0) << json.err;
  const auto answer = nlohmann::json::parse(json.out);
  EXPECT_TRUE(answer.at("version").is_string());
  EXPECT_EQ(answer.at("findings").back().at("what"), "training");
  EXPECT_EQ(run_lathe("doctor --seconds -1").exit_code, 2);
}

}  // namespace
}  // namespace lathe::testing
