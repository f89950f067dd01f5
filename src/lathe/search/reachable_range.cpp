#include "lathe/search/reachable_range.h"

#include <functional>
#include <optional>
#include <stdexcept>
#include <unordered_set>
#include <utility>
#include <vector>

namespace lathe::search {
namespace {

using Cost = std::function<double(const space::Arch&)>;

/// Descends on any cost of nets.
class Descent {
 public:
  Descent(const space::Space& space, Cost cost) : space_(space), cost_(std::move(cost)) {}

  space::Arch best_of(const std::vector<space::Arch>& starts) {
    Place best = place(starts.front());
    for (const space::Arch& start : starts) {
      Place here = place(start);
      while (single_sweep(here)) {
      }
      // Starts mostly meet here already, and pairs are the expensive part.
      if (seen_.insert(here.arch).second) {
        while (pair_sweep(here)) {
          while (single_sweep(here)) {
          }
        }
      }
      if (here.cost < best.cost) {
        best = std::move(here);
      }
    }
    return best.arch;
  }

 private:
  struct Place {
    space::Arch arch;
    double cost;
  };

  Place place(space::Arch arch) const {
    const double cost = cost_(arch);
    return {.arch = std::move(arch), .cost = cost};
  }

  bool improves(space::Arch arch, Place& here) const {
    arch = space_.canonical(std::move(arch));
    if (arch == here.arch) {
      return false;
    }
    Place there = place(std::move(arch));
    if (there.cost < here.cost) {
      here = std::move(there);
      return true;
    }
    return false;
  }

  int choices(std::size_t i) const { return space_.decisions()[i].num_choices(); }

  bool single_sweep(Place& here) const {
    bool improved = false;
    for (std::size_t i = 0; i < space_.decisions().size(); ++i) {
      for (int c = 0; c < choices(i); ++c) {
        space::Arch arch = here.arch;
        arch.choices[i] = static_cast<std::uint8_t>(c);
        improved |= improves(std::move(arch), here);
      }
    }
    return improved;
  }

  bool pair_sweep(Place& here) const {
    bool improved = false;
    for (std::size_t i = 0; i < space_.decisions().size(); ++i) {
      for (std::size_t j = i + 1; j < space_.decisions().size(); ++j) {
        for (int c = 0; c < choices(i) * choices(j); ++c) {
          space::Arch arch = here.arch;
          arch.choices[i] = static_cast<std::uint8_t>(c / choices(j));
          arch.choices[j] = static_cast<std::uint8_t>(c % choices(j));
          // Single changes were tried before.
          if (arch.choices[i] != here.arch.choices[i] && arch.choices[j] != here.arch.choices[j]) {
            improved |= improves(std::move(arch), here);
          }
        }
      }
    }
    return improved;
  }

  const space::Space& space_;
  Cost cost_;
  std::unordered_set<space::Arch> seen_;
};

std::vector<space::Arch> starts_of(const space::Space& space, const RangeOptions& options) {
  std::vector<space::Arch> starts{space.smallest(), space.largest()};
  Rng rng = Rng::derived(options.seed, {0x72616e67});
  for (int i = 0; i < options.random_starts; ++i) {
    starts.push_back(space.sample(rng));
  }
  return starts;
}

/// The net with the least `sign * latency`.
TimedArch extreme(const space::Space& space, const Cost& latency_ms, double sign,
                  const RangeOptions& options) {
  Descent descent(space, [&](const space::Arch& arch) { return sign * latency_ms(arch); });
  space::Arch arch = descent.best_of(starts_of(space, options));
  const double predicted_ms = latency_ms(arch);
  return {.arch = std::move(arch), .predicted_ms = predicted_ms};
}

/// The same of those that keep the limits: any other costs more than all of them, and the further
/// from the limits the more.
std::optional<TimedArch> extreme_within(const space::Space& space, const Cost& latency_ms,
                                        double sign, const CostLimits& limits,
                                        const RangeOptions& options) {
  constexpr double kForbiddenMs = 1e12;
  Descent descent(space, [&](const space::Arch& arch) {
    const double excess = limits.excess(arch);
    return excess > 0 ? kForbiddenMs * (1 + excess) : sign * latency_ms(arch);
  });
  space::Arch arch = descent.best_of(starts_of(space, options));
  if (!limits.allow(arch)) {
    return std::nullopt;
  }
  const double predicted_ms = latency_ms(arch);
  return TimedArch{.arch = std::move(arch), .predicted_ms = predicted_ms};
}

Cost predicted_by(const space::Space& space, const latency::LatencyModel& latency) {
  if (latency.space_name() != space.name()) {
    throw std::invalid_argument("[search::reachable_range] the latency model must be of space " +
                                space.name() + ", got one of " + latency.space_name());
  }
  return [&latency](const space::Arch& arch) { return latency.predict_ms(arch); };
}

}  // namespace

ReachableRange reachable_range(const space::Space& space, const latency::LatencyModel& latency,
                               const RangeOptions& options) {
  const Cost latency_ms = predicted_by(space, latency);
  return {.fastest = extreme(space, latency_ms, 1.0, options),
          .slowest = extreme(space, latency_ms, -1.0, options)};
}

TimedArch fastest_net(const space::Space& space, const latency::LatencyModel& latency,
                      const RangeOptions& options) {
  return extreme(space, predicted_by(space, latency), 1.0, options);
}

std::optional<ReachableRange> range_within(const space::Space& space,
                                           const latency::LatencyModel& latency,
                                           const CostLimits& limits, const RangeOptions& options) {
  const Cost latency_ms = predicted_by(space, latency);
  auto fastest = extreme_within(space, latency_ms, 1.0, limits, options);
  auto slowest = extreme_within(space, latency_ms, -1.0, limits, options);
  if (!fastest || !slowest) {
    return std::nullopt;
  }
  return ReachableRange{.fastest = std::move(*fastest), .slowest = std::move(*slowest)};
}

std::optional<TimedArch> fastest_within(const space::Space& space,
                                        const std::function<double(const space::Arch&)>& latency_ms,
                                        const CostLimits& limits, const RangeOptions& options) {
  return extreme_within(space, latency_ms, 1.0, limits, options);
}

}  // namespace lathe::search
