#include "lathe/latency/models/part_model.h"

#include <gtest/gtest.h>

#include "latency/table_by_macs.h"
#include "lathe/latency/models/linear_model.h"
#include "lathe/space/subspace.h"
#include "space/tiny_spaces.h"

namespace lathe::latency {
namespace {

using lathe::testing::every_arch;
using lathe::testing::table_by_macs;
using lathe::testing::tiny_mobile;

struct Parts {
  std::shared_ptr<const space::Space> whole = space::make_mobile_space(tiny_mobile());
  std::shared_ptr<const space::Subspace> part = [this] {
    space::Arch high = whole->largest();
    for (std::size_t i = 0; i < high.choices.size(); i += 2) high.choices[i] = 0;
    return space::make_subspace(whole, whole->smallest(), high);
  }();
};

void expect_same(const StoredLatencyModel& model, const Parts& parts, bool sums) {
  const auto of_part = model_of_part(model, *parts.part);
  EXPECT_EQ(of_part->space_name(), parts.part->name());
  EXPECT_EQ(of_part->slot_costs() != nullptr, sums);
  for (const space::Arch& arch : every_arch(*parts.part)) {
    EXPECT_NEAR(of_part->predict_ms(arch), model.predict_ms(parts.part->to_whole(arch)), 1e-12);
  }
  const auto of_whole = model_of_part(model, *parts.whole);
  EXPECT_EQ(of_whole->predict_ms(parts.whole->largest()), model.predict_ms(parts.whole->largest()));
}

TEST(PartModel, IsASumOverBlocksWhereTheWholeIs) {
  const Parts parts;
  expect_same(table_by_macs(*parts.whole, {.space = parts.whole->name()}), parts, true);
}

TEST(PartModel, AsksOthersForTheNetOfTheWhole) {
  const Parts parts;
  std::vector<LatencySample> samples;
  const BlockTable truth = table_by_macs(*parts.whole, {.space = parts.whole->name()});
  for (const space::Arch& arch : every_arch(*parts.whole)) {
    if (samples.size() < 60) samples.push_back({.arch = arch, .median_ms = truth.predict_ms(arch)});
  }
  expect_same(fit_linear_model(*parts.whole, truth.fingerprint(), samples), parts, false);
}

}  // namespace
}  // namespace lathe::latency
