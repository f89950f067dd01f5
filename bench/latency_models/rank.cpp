// How many measured nets determine the blocks of the width space: nothing is measured for it.
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <span>

#include "latency_models.h"
#include "lathe/latency/fit/additive.h"
#include "lathe/latency/samples/sample_plan.h"
#include "lathe/space/builtin_spaces.h"

namespace lathe::bench {

namespace {

constexpr int kMost = 12800;
constexpr int kSeeds = 5;

/// How many of the plan's first nets reach the rank of all of it. O(log nets) ranks.
std::size_t enough(const space::Space& space, std::span<const space::Arch> plan, int rank) {
  auto low = static_cast<std::size_t>(rank);
  std::size_t high = plan.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (latency::identifiable_rank(space, plan.first(middle)) < rank) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

void print_ranks() {
  const auto space = space::make_space("mobilenet_v1_widths", {.input_size = 64});
  fmt::print("\nNets that it takes until {} blocks are determined as far as they can be.\n\n",
             space->distinct_blocks().size());
  fmt::print("| seed | rank | biased nets | uniform nets |\n|---|---|---|---|\n");
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto biased =
        latency::sample_plan(*space, {.samples = kMost, .biased = true, .seed = seed});
    const auto uniform = latency::sample_plan(*space, {.samples = kMost, .seed = seed});
    const int rank = latency::identifiable_rank(*space, biased);
    fmt::print("| {} | {} | {} | {} |\n", seed, rank, enough(*space, biased, rank),
               enough(*space, uniform, rank));
    std::fflush(stdout);
  }
}

}  // namespace lathe::bench
