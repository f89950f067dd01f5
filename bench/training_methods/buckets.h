// Nets of a space by what they cost, as the DepS paper compares training methods (section 5.1).
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <vector>

#include "lathe/space/space.h"

namespace lathe::bench {

inline constexpr std::size_t kBuckets = 6;

/// MACs or milliseconds of a net.
using Cost = std::function<double(const space::Arch&)>;

/// Up to `per_bucket` nets in each of six equal ranges between the cost of the space's smallest and
/// of its largest net, these two first in theirs; the same each time.
/// @throws Error if a bucket stays empty.
std::array<std::vector<space::Arch>, kBuckets> draw_buckets(const space::Space& space,
                                                            std::size_t per_bucket,
                                                            const Cost& cost);

}  // namespace lathe::bench
