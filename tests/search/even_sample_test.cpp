#include "lathe/search/even_sample.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/graph/counts.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::SyntheticLatency;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

double macs_of(const space::Space& space, const space::Arch& arch) {
  return static_cast<double>(graph::macs(space.graph(arch)));
}

TEST(EvenSampleTest, ANetOfEachIntervalOfTheCost) {
  const TinySpace space(3);
  const auto macs = [&](const space::Arch& arch) { return macs_of(space, arch); };
  constexpr int kCount = 12;
  Rng rng(1);
  const auto archs = sample_evenly(space, macs, kCount, rng);
  ASSERT_EQ(archs.size(), std::size_t{kCount});
  EXPECT_EQ(archs.front(), space.smallest());
  EXPECT_EQ(archs.back(), space.largest());
  const double low = macs(space.smallest());
  const double width = (macs(space.largest()) - low) / kCount;
  int hit = 0;
  for (int i = 1; i + 1 < kCount; ++i) {
    const double at = (macs(archs[static_cast<std::size_t>(i)]) - low) / width;
    hit += at >= i && at <= i + 1 ? 1 : 0;
  }
  EXPECT_GE(hit, 9);  // of 10: there may be an interval without a net
  EXPECT_EQ(std::set<space::Arch>(archs.begin(), archs.end()).size(), std::size_t{kCount});
  Rng again(1);
  EXPECT_EQ(sample_evenly(space, macs, kCount, again), archs);
}

TEST(EvenSampleTest, ALatencyModelIsACost) {
  const TinySpace space;
  const SyntheticLatency latency(space, 1);
  Rng rng(2);
  Rng same(2);
  EXPECT_EQ(sample_evenly(space, latency, 8, rng),
            sample_evenly(
                space, [&](const space::Arch& arch) { return latency.predict_ms(arch); }, 8, same));
}

TEST(EvenSampleTest, FindsAllWhereThatIsAskedFor) {
  const TinySpace space(1);  // 40 nets
  const auto macs = [&](const space::Arch& arch) { return macs_of(space, arch); };
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    Rng rng(seed);
    const auto archs = sample_evenly(space, macs, 40, rng);
    EXPECT_EQ(std::set<space::Arch>(archs.begin(), archs.end()).size(), 40U);
  }
}

TEST(EvenSampleTest, RefusesMoreThanThereAre) {
  const TinySpace space(1);  // 40 nets
  const auto macs = [&](const space::Arch& arch) { return macs_of(space, arch); };
  Rng rng(1);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { sample_evenly(space, macs, 1, rng); }),
            "[search::sample_evenly] count must be >= 2, got 1");
  EXPECT_EQ(text_thrown<Error>([&] { sample_evenly(space, macs, 41, rng); }),
            "space tiny has fewer than 41 archs to sample");
}

}  // namespace
}  // namespace lathe::search
