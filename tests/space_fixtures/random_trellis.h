// Small trellises of every shape, and all their paths.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/space/trellis.h"

namespace lathe::testing {

/// 1 to 5 layers between the ends, of 1 to 4 states; some transitions are missing, some double, so
/// that now and then no path is left.
inline space::Trellis random_trellis(Rng& rng) {
  std::vector<std::uint32_t> sizes{1};
  const std::uint32_t inner = 1 + rng.below(5);
  for (std::uint32_t l = 0; l < inner; ++l) {
    sizes.push_back(1 + rng.below(4));
  }
  sizes.push_back(1);
  const double kept = rng.bernoulli(0.5) ? 1.0 : 0.85;
  std::vector<std::vector<space::Transition>> steps(sizes.size() - 1);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (std::uint32_t to = 0; to < sizes[s + 1]; ++to) {
      for (std::uint32_t from = 0; from < sizes[s]; ++from) {
        const int copies = rng.bernoulli(kept) ? 1 + static_cast<int>(rng.bernoulli(0.1)) : 0;
        for (int i = 0; i < copies; ++i) {
          steps[s].push_back({.from = from, .to = to});
        }
      }
    }
  }
  return {sizes, steps};
}

/// In lexicographic order.
inline std::vector<space::Path> all_paths(const space::Trellis& trellis) {
  std::vector<space::Path> paths;
  space::Path path;
  const std::function<void(std::uint32_t)> walk = [&](std::uint32_t state) {
    if (path.size() == trellis.num_steps()) {
      paths.push_back(path);
      return;
    }
    for (const std::uint32_t t : trellis.leaving(state)) {
      path.push_back(t);
      walk(trellis.transition(t).to);
      path.pop_back();
    }
  };
  walk(0);
  return paths;
}

/// Uniform in [low, high).
inline std::vector<double> random_costs(const space::Trellis& trellis, Rng& rng, double low = 0.0,
                                        double high = 1.0) {
  std::vector<double> costs(trellis.num_transitions());
  for (double& cost : costs) {
    cost = low + (high - low) * rng.uniform();
  }
  return costs;
}

/// Integers in [0, count): their sums are exact, and many are equal.
inline std::vector<double> random_integer_costs(const space::Trellis& trellis, Rng& rng,
                                                std::uint32_t count) {
  std::vector<double> costs(trellis.num_transitions());
  for (double& cost : costs) {
    cost = rng.below(count);
  }
  return costs;
}

/// The same totals of all paths, other costs: for every state between the ends a number is moved
/// from the transitions that arrive to those that leave. `grid` > 0 rounds them, to keep sums
/// exact.
inline std::vector<double> regauged(const space::Trellis& trellis, std::vector<double> costs,
                                    Rng& rng, double grid = 0.0) {
  std::vector<double> potential(trellis.num_states(), 0.0);
  for (std::size_t state = 1; state + 1 < potential.size(); ++state) {
    potential[state] = 4 * rng.uniform() - 2;
    if (grid > 0) {
      potential[state] = grid * static_cast<double>(static_cast<int>(potential[state] / grid));
    }
  }
  for (std::uint32_t t = 0; t < trellis.num_transitions(); ++t) {
    const space::Transition& transition = trellis.transition(t);
    costs[t] += potential[transition.to] - potential[transition.from];
  }
  return costs;
}

}  // namespace lathe::testing
