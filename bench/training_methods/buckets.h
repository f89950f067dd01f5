// Nets of a space by what they cost, as the DepS paper compares training methods (section 5.1).
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "lathe/space/space.h"

namespace lathe::bench {

inline constexpr int kBuckets = 6;

/// What a net costs, in any unit.
using CostFn = std::function<double(const space::Arch&)>;

/// Equal parts of what lies between the costs of a space's smallest and largest net.
class Buckets {
 public:
  Buckets(const space::Space& space, CostFn cost);
  std::size_t of(const space::Arch& arch) const;

 private:
  CostFn cost_;
  double low_, high_;
};

/// The smallest net, the largest, and others until each bucket of every cost has `per_bucket`, as
/// far as some thousand draws find them; the same nets each time.
/// @throws Error if a bucket stays empty.
std::vector<space::Arch> draw_nets(const space::Space& space, std::size_t per_bucket,
                                   const std::vector<Buckets>& costs);

}  // namespace lathe::bench
