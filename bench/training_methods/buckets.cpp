#include "buckets.h"

#include <algorithm>
#include <string>

#include "lathe/core/error.h"
#include "lathe/core/random.h"

namespace lathe::bench {
namespace {

constexpr int kMostDraws = 20000;
constexpr std::uint64_t kSeed = 1;

}  // namespace

std::array<std::vector<space::Arch>, kBuckets> draw_buckets(const space::Space& space,
                                                            std::size_t per_bucket,
                                                            const Cost& cost) {
  const double low = cost(space.smallest()), high = cost(space.largest());
  std::array<std::vector<space::Arch>, kBuckets> buckets;
  buckets.front().push_back(space.smallest());
  buckets.back().push_back(space.largest());
  Rng rng(kSeed);
  for (int i = 0; i < kMostDraws; ++i) {
    // Around the smallest and the largest net uniform draws hardly ever fall.
    const space::Arch& near = i % 3 == 0 ? space.smallest() : space.largest();
    const space::Arch arch =
        i % 3 == 1 ? space.sample(rng) : space.crossover(near, space.sample(rng), rng);
    const double share = (cost(arch) - low) / (high - low);
    const int bucket = std::clamp(static_cast<int>(share * kBuckets), 0, int{kBuckets} - 1);
    std::vector<space::Arch>& archs = buckets[static_cast<std::size_t>(bucket)];
    if (archs.size() < per_bucket && std::find(archs.begin(), archs.end(), arch) == archs.end()) {
      archs.push_back(arch);
    }
  }
  for (std::size_t b = 0; b < kBuckets; ++b) {
    if (buckets[b].empty()) {
      throw Error(space.name() + ": no net was drawn into bucket " + std::to_string(b + 1) +
                  " of its costs");
    }
  }
  return buckets;
}

}  // namespace lathe::bench
