#include "lathe/latency/samples/sample_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/space/builtin_spaces.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

std::set<std::string> keys_of(const space::Space& space, const space::Arch& arch) {
  std::set<std::string> keys;
  for (const space::Block& block : space.blocks(arch)) {
    keys.insert(block.key());
  }
  return keys;
}

TEST(BiasedSamplerTest, EachNetHasAsManyLeastSeenBlocksAsAnyNet) {
  const TinySpace space;
  BiasedSampler sampler(space);
  EXPECT_EQ(sampler.num_blocks(), space.distinct_blocks().size());
  const auto all = testing::all_archs(space);
  std::map<std::string, int> counts;
  for (const space::Block& block : space.distinct_blocks()) {
    counts[block.key()] = 0;
  }
  Rng rng(1);
  for (int i = 0; i < 60; ++i) {
    const int least =
        std::min_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
          return a.second < b.second;
        })->second;
    EXPECT_EQ(sampler.least_count(), least);
    // No block stands twice in a net of this space, so that (A.1) counts distinct ones.
    const auto least_seen = [&](const space::Arch& arch) {
      const auto keys = keys_of(space, arch);
      return std::count_if(keys.begin(), keys.end(),
                           [&](const std::string& key) { return counts[key] == least; });
    };
    std::ptrdiff_t most = 0;
    for (const space::Arch& arch : all) {
      most = std::max(most, least_seen(arch));
    }
    const space::Arch arch = sampler.next(rng);
    EXPECT_EQ(arch, space.canonical(arch));
    EXPECT_EQ(least_seen(arch), most);
    EXPECT_GT(most, 0);
    for (const std::string& key : keys_of(space, arch)) {
      ++counts[key];
    }
  }
}

TEST(BiasedSamplerTest, SeesEveryBlockOfABuiltInSpaceSoon) {
  const auto space = space::make_space("mbv3_28");
  BiasedSampler sampler(*space);
  Rng rng(2);
  int nets = 0;
  while (sampler.least_count() == 0) {
    sampler.next(rng);
    ASSERT_LT(++nets, 20);
  }
  EXPECT_GE(nets, 6);  // six pairs of kernel and expansion for the first block of each stage
}

TEST(SamplePlanTest, FollowsFromTheSeedAndGrowsAtItsEnd) {
  const TinySpace space;
  for (const bool biased : {false, true}) {
    const auto plan = sample_plan(space, {.samples = 30, .biased = biased, .seed = 4});
    const auto shorter = sample_plan(space, {.samples = 10, .biased = biased, .seed = 4});
    ASSERT_EQ(plan.size(), 30U);
    EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), plan.begin()));
    EXPECT_NE(plan, sample_plan(space, {.samples = 30, .biased = biased, .seed = 5}));
  }
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { sample_plan(space, {.samples = -1}); }),
            "[latency::sample_plan] samples must be >= 0, got -1");
}

TEST(PartOfTest, DealsThePlanOut) {
  const TinySpace space;
  const auto plan = sample_plan(space, {.samples = 8});
  EXPECT_EQ(part_of(plan, {}), plan);
  EXPECT_EQ(part_of(plan, {.index = 1, .count = 3}),
            (std::vector<space::Arch>{plan[1], plan[4], plan[7]}));
  EXPECT_TRUE(part_of(plan, {.index = 9, .count = 10}).empty());
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { part_of(plan, {.index = 3, .count = 3}); }),
            "[latency::part_of] index must be in [0, count), got 3 of 3");
}

TEST(RemainingTest, IsWhatComesAfterWhatIsDone) {
  const TinySpace space;
  const auto plan = sample_plan(space, {.samples = 4});
  std::vector<LatencySample> done{{plan[0], 1, 1, 1}, {plan[1], 1, 1, 1}};
  const auto rest = remaining(plan, done, "f");
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(rest[0], plan[2]);
  EXPECT_TRUE(remaining(std::span(plan).first(1), done, "f").empty());
  std::swap(done[0], done[1]);
  EXPECT_EQ(text_thrown<Error>([&] { remaining(plan, done, "f"); }),
            "f: sample 1 is another net than planned; give the same --seed, --biased, --shard and "
            "resolutions as before, or name another file");
}

}  // namespace
}  // namespace lathe::latency
