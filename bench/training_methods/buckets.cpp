#include "buckets.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/random.h"

namespace lathe::bench {
namespace {

constexpr int kMostDraws = 20000;
constexpr std::uint64_t kSeed = 1;

}  // namespace

Buckets::Buckets(const space::Space& space, CostFn cost)
    : cost_(std::move(cost)), low_(cost_(space.smallest())), high_(cost_(space.largest())) {}

std::size_t Buckets::of(const space::Arch& arch) const {
  const double share = (cost_(arch) - low_) / (high_ - low_);
  return static_cast<std::size_t>(
      std::clamp(static_cast<int>(share * kBuckets), 0, int{kBuckets} - 1));
}

std::vector<space::Arch> draw_nets(const space::Space& space, std::size_t per_bucket,
                                   const std::vector<Buckets>& costs) {
  std::vector<space::Arch> nets;
  std::vector<std::array<std::size_t, kBuckets>> counts(costs.size());
  const auto take = [&](const space::Arch& arch) {
    for (std::size_t c = 0; c < costs.size(); ++c) {
      ++counts[c].at(costs[c].of(arch));
    }
    nets.push_back(arch);
  };
  const auto wanted = [&](const space::Arch& arch) {
    for (std::size_t c = 0; c < costs.size(); ++c) {
      if (counts[c].at(costs[c].of(arch)) < per_bucket) {
        return std::ranges::find(nets, arch) == nets.end();
      }
    }
    return false;
  };
  take(space.smallest());
  take(space.largest());
  Rng rng(kSeed);
  for (int i = 0; i < kMostDraws; ++i) {
    // Around the smallest and the largest net uniform draws hardly ever fall.
    const space::Arch& near = i % 3 == 0 ? space.smallest() : space.largest();
    const space::Arch arch =
        i % 3 == 1 ? space.sample(rng) : space.crossover(near, space.sample(rng), rng);
    if (wanted(arch)) {
      take(arch);
    }
  }
  for (const std::array<std::size_t, kBuckets>& of_cost : counts) {
    const auto empty = std::ranges::find(of_cost, std::size_t{0});
    if (empty != of_cost.end()) {
      throw Error(space.name() + ": no net was drawn into bucket " +
                  std::to_string(empty - of_cost.begin() + 1) + " of its costs");
    }
  }
  return nets;
}

}  // namespace lathe::bench
