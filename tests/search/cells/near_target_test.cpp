#include "lathe/search/cells/near_target.h"

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/search/cells/cell_logits.h"

namespace lathe::search {
namespace {

using lathe::testing::text_thrown;

std::vector<space::Cell> cells_of(std::uint64_t seed, int kinds = 2) {
  CellLogits logits = CellLogits::zero(kinds, false);
  Rng rng(seed);
  for (double& value : logits.ops) value = rng.normal();
  return derive_cells(logits);
}

TEST(NearTarget, ListsCellsOnceTheLatestLast) {
  std::vector<PassedCells> passed;
  pass(passed, {1, 1.0, cells_of(1)});
  pass(passed, {2, 1.1, cells_of(2)});
  pass(passed, {3, 1.2, cells_of(3)});
  pass(passed, {7, 1.0, cells_of(1)});
  ASSERT_EQ(passed.size(), 3U);
  EXPECT_EQ(passed[0].step, 2);
  EXPECT_EQ(passed[1].step, 3);
  EXPECT_EQ(passed[2], (PassedCells{7, 1.0, cells_of(1)}));
}

TEST(NearTarget, JsonGoesThereAndBack) {
  for (const int kinds : {1, 2}) {
    const NearTarget near{.target = 1.5,
                          .unit = "MMACs",
                          .passed = {{5, 1.4, cells_of(1, kinds)}, {9, 1.6, cells_of(2, kinds)}}};
    const NearTarget read = NearTarget::from_json(near.to_json(), "near");
    EXPECT_EQ(read.target, near.target);
    EXPECT_EQ(read.unit, near.unit);
    EXPECT_EQ(read.passed, near.passed);
  }
}

TEST(NearTarget, SaysWhatIsWrong) {
  const nlohmann::json good =
      NearTarget{.target = 1, .unit = "ms", .passed = {{5, 1.4, cells_of(1)}}}.to_json();
  const auto said = [&](const std::string& pointer, const nlohmann::json& value) {
    nlohmann::json bad = good;
    bad[nlohmann::json::json_pointer(pointer)] = value;
    return text_thrown<Error>([&] { NearTarget::from_json(bad, "n.json"); });
  };
  EXPECT_EQ(said("/version", 2), "n.json: \"version\": expected 1, got 2");
  EXPECT_EQ(said("/target", 0).find("n.json: \"target\": expected a number > 0"), 0U);
  EXPECT_EQ(said("/passed", 3), "n.json: passed: expected a list of passed cells");
  EXPECT_NE(said("/passed/0/normal", {}).find("n.json: passed[0].normal"), std::string::npos);
  EXPECT_NE(said("/passed/0/step", "x").find("n.json: passed[0]"), std::string::npos);
}

}  // namespace
}  // namespace lathe::search
