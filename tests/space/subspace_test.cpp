// A part of a space against the list of the whole space's archs.
#include "lathe/space/subspace.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/space/same_net.h"
#include "space/tiny_spaces.h"

namespace lathe::space {
namespace {

using lathe::testing::text_thrown;

/// Two random archs, not canonical, of which the first is the lower in every decision.
std::pair<Arch, Arch> random_bounds(const Space& space, Rng& rng) {
  std::pair<Arch, Arch> bounds;
  for (const Decision& decision : space.decisions()) {
    const auto draw = [&] {
      return static_cast<std::uint8_t>(
          rng.below(static_cast<std::uint32_t>(decision.num_choices())));
    };
    const auto [low, high] = std::minmax({draw(), draw()});
    bounds.first.choices.push_back(low);
    bounds.second.choices.push_back(high);
  }
  return bounds;
}

bool is_between(const Space& space, const Arch& arch, const Arch& low, const Arch& high) {
  for (int i = 0; i < static_cast<int>(arch.choices.size()); ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (space.alive(arch, i) &&
        (arch.choices[at] < low.choices[at] || arch.choices[at] > high.choices[at])) {
      return false;
    }
  }
  return true;
}

TEST(Subspace, HasTheNetsBetweenItsBoundsAndNoOthers) {
  Rng rng(1);
  for (auto& owned : testing::tiny_spaces()) {
    const std::shared_ptr<const Space> whole = std::move(owned);
    for (int round = 0; round < 20; ++round) {
      const auto [low, high] = random_bounds(*whole, rng);
      const auto part = make_subspace(whole, low, high);
      std::set<Arch> expected;
      for (const Arch& arch : testing::every_arch(*whole)) {
        if (is_between(*whole, arch, low, high)) {
          expected.insert(whole->canonical(arch));
        }
      }
      std::set<Arch> found;
      for (const Arch& arch : testing::every_arch(*part)) {
        const Arch of_whole = part->to_whole(arch);
        found.insert(of_whole);
        ASSERT_EQ(testing::net_key(part->blocks(arch)), testing::net_key(whole->blocks(of_whole)));
        ASSERT_EQ(part->input_size(arch), whole->input_size(of_whole));
        ASSERT_EQ(part->from_whole(of_whole), part->canonical(arch));
      }
      ASSERT_EQ(found, expected) << part->name();
      for (const Arch& arch : testing::every_arch(*whole)) {
        ASSERT_EQ(part->contains(arch), expected.contains(whole->canonical(arch)));
      }
      EXPECT_EQ(part->to_whole(part->largest()), whole->canonical(high));
      EXPECT_EQ(part->to_whole(part->smallest()), whole->canonical(low));
      // Resolutions count once in the nets of a space, but make archs of their own.
      const auto sizes = static_cast<double>(part->input_sizes().size());
      EXPECT_NEAR(part->log10_num_nets(), std::log10(static_cast<double>(expected.size()) / sizes),
                  1e-9);
    }
  }
}

TEST(Subspace, WritesAndReadsArchsOfTheWhole) {
  const std::shared_ptr<const Space> whole = make_mobile_space(testing::tiny_mobile());
  Arch low = whole->smallest();
  low.choices[0] = 1;  // the first block's kernel is 5
  const auto part = make_subspace(whole, low, whole->largest());
  EXPECT_NE(part->name(), whole->name());
  EXPECT_EQ(part->to_json(part->largest()), whole->to_json(whole->largest()));
  EXPECT_EQ(part->from_json(whole->to_json(whole->largest()), "a.json"), part->largest());
  EXPECT_EQ(text_thrown<Error>([&] {
              part->from_json(whole->to_json(whole->smallest()), "a.json");
            }).substr(0, 45),
            "a.json: is not among the nets that were train");
}

TEST(Subspace, OfOneNetHasNoDecision) {
  const std::shared_ptr<const Space> whole = make_mobile_space(testing::tiny_mobile());
  const auto part = make_subspace(whole, whole->largest(), whole->largest());
  EXPECT_TRUE(part->decisions().empty());
  EXPECT_EQ(part->to_whole(part->smallest()), whole->largest());
  EXPECT_DOUBLE_EQ(part->log10_num_nets(), 0.0);
  EXPECT_EQ(part->input_sizes(), std::vector<int>{16});
}

TEST(Subspace, NetsAreCalledByTheWhole) {
  const std::shared_ptr<const Space> whole = make_mobile_space(testing::tiny_mobile());
  Arch low = whole->smallest();
  low.choices[0] = 1;
  const auto part = make_subspace(whole, low, whole->largest());
  EXPECT_EQ(in_whole(*part, part->largest()).space, whole.get());
  EXPECT_EQ(in_whole(*part, part->smallest()).arch, whole->canonical(low));
  EXPECT_EQ(in_whole(*whole, low).space, whole.get());
  EXPECT_EQ(in_whole(*whole, low).arch, low);
}

TEST(Subspace, BoundsNameTheSpace) {
  const std::shared_ptr<const Space> whole = make_mobile_space(testing::tiny_mobile());
  Arch low = whole->smallest();
  const std::string all = make_subspace(whole, low, whole->largest())->name();
  EXPECT_EQ(all, make_subspace(whole, low, whole->largest())->name());
  low.choices[0] = 1;
  EXPECT_NE(all, make_subspace(whole, low, whole->largest())->name());
}

TEST(Subspace, RefusesBoundsTheWrongWayRound) {
  const std::shared_ptr<const Space> whole = make_mobile_space(testing::tiny_mobile());
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              make_subspace(whole, whole->largest(), whole->smallest());
            }).substr(0, 78),
            "[space::make_subspace] lowest must be at most highest, got choice 1 above 0 of");
}

}  // namespace
}  // namespace lathe::space
