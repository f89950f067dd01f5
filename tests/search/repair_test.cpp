#include "lathe/search/repair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "core/temporary_folder.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::SyntheticLatency;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

class RepairTest : public ::testing::Test {
 protected:
  RepairTest() {
    archs_ = lathe::testing::all_archs(space_);
    fastest_ = {.arch = archs_.front(), .predicted_ms = latency_.predict_ms(archs_.front())};
    for (const space::Arch& arch : archs_) {
      const double ms = latency_.predict_ms(arch);
      slowest_ms_ = std::max(slowest_ms_, ms);
      if (ms < fastest_.predicted_ms) {
        fastest_ = {.arch = arch, .predicted_ms = ms};
      }
    }
  }

  TinySpace space_;
  SyntheticLatency latency_{space_, 3};
  std::vector<space::Arch> archs_;
  TimedArch fastest_;
  double slowest_ms_ = 0;
};

TEST_F(RepairTest, RepairedNetsFitAndFittingNetsStay) {
  Rng rng(1);
  const double range_ms = slowest_ms_ - fastest_.predicted_ms;
  for (const double share : {0.0, 0.05, 0.5, 1.0}) {
    const double limit_ms = fastest_.predicted_ms + share * range_ms;
    for (const space::Arch& arch : archs_) {
      const TimedArch net = repair(space_, latency_, arch, limit_ms, fastest_, rng);
      ASSERT_LE(net.predicted_ms, limit_ms);
      ASSERT_EQ(net.predicted_ms, latency_.predict_ms(net.arch));
      ASSERT_EQ(net.arch, space_.canonical(net.arch));
      if (latency_.predict_ms(arch) <= limit_ms) {
        ASSERT_EQ(net.arch, arch);
      }
    }
  }
}

TEST_F(RepairTest, RepairKeepsDiversity) {
  Rng rng(1);
  const double limit_ms = fastest_.predicted_ms + 0.3 * (slowest_ms_ - fastest_.predicted_ms);
  std::unordered_set<space::Arch> found;
  for (int i = 0; i < 200; ++i) {
    found.insert(repair(space_, latency_, space_.largest(), limit_ms, fastest_, rng).arch);
  }
  EXPECT_GT(found.size(), 20U);
}

TEST_F(RepairTest, RepairRefusesALimitThatNothingFits) {
  Rng rng(1);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              repair(space_, latency_, space_.largest(), 0.001, {fastest_.arch, 0.25}, rng);
            }),
            "[search::repair] the fastest net must be within the limit of 0.001000 ms, got "
            "0.250000");
}

}  // namespace
}  // namespace lathe::search
