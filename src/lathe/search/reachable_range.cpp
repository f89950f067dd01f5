#include "lathe/search/reachable_range.h"

#include <stdexcept>
#include <unordered_set>
#include <utility>
#include <vector>

namespace lathe::search {
namespace {

// Descends on `sign * latency`.
class Descent {
 public:
  Descent(const space::Space& space, const latency::LatencyModel& latency, double sign)
      : space_(space), latency_(latency), sign_(sign) {}

  TimedArch best_of(const std::vector<space::Arch>& starts) {
    TimedArch best = timed(starts.front());
    for (const space::Arch& start : starts) {
      TimedArch here = timed(start);
      while (single_sweep(here)) {
      }
      // Starts mostly meet here already, and pairs are the expensive part.
      if (seen_.insert(here.arch).second) {
        while (pair_sweep(here)) {
          while (single_sweep(here)) {
          }
        }
      }
      if (sign_ * here.predicted_ms < sign_ * best.predicted_ms) {
        best = std::move(here);
      }
    }
    return best;
  }

 private:
  TimedArch timed(space::Arch arch) const {
    const double predicted_ms = latency_.predict_ms(arch);
    return {.arch = std::move(arch), .predicted_ms = predicted_ms};
  }

  bool improves(space::Arch arch, TimedArch& here) const {
    arch = space_.canonical(std::move(arch));
    if (arch == here.arch) {
      return false;
    }
    TimedArch there = timed(std::move(arch));
    if (sign_ * there.predicted_ms < sign_ * here.predicted_ms) {
      here = std::move(there);
      return true;
    }
    return false;
  }

  int choices(std::size_t i) const { return space_.decisions()[i].num_choices(); }

  bool single_sweep(TimedArch& here) const {
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

  bool pair_sweep(TimedArch& here) const {
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
  const latency::LatencyModel& latency_;
  double sign_;
  std::unordered_set<space::Arch> seen_;
};

std::vector<space::Arch> starts_of(const space::Space& space, const latency::LatencyModel& latency,
                                   const RangeOptions& options) {
  if (latency.space_name() != space.name()) {
    throw std::invalid_argument("[search::reachable_range] the latency model must be of space " +
                                space.name() + ", got one of " + latency.space_name());
  }
  std::vector<space::Arch> starts{space.smallest(), space.largest()};
  Rng rng = Rng::derived(options.seed, {0x72616e67});
  for (int i = 0; i < options.random_starts; ++i) {
    starts.push_back(space.sample(rng));
  }
  return starts;
}

}  // namespace

ReachableRange reachable_range(const space::Space& space, const latency::LatencyModel& latency,
                               const RangeOptions& options) {
  const auto starts = starts_of(space, latency, options);
  return {.fastest = Descent(space, latency, 1.0).best_of(starts),
          .slowest = Descent(space, latency, -1.0).best_of(starts)};
}

TimedArch fastest_net(const space::Space& space, const latency::LatencyModel& latency,
                      const RangeOptions& options) {
  return Descent(space, latency, 1.0).best_of(starts_of(space, latency, options));
}

}  // namespace lathe::search
