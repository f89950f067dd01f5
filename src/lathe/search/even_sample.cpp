#include "lathe/search/even_sample.h"

#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>
#include <unordered_set>

#include "lathe/core/error.h"

namespace lathe::search {
namespace {

constexpr int kWalks = 20;
constexpr int kStepsPerWalk = 200;

/// One random decision that can be, one choice up or down.
space::Arch step(const space::Space& space, space::Arch arch, bool up, Rng& rng) {
  std::vector<std::size_t> movable;
  for (std::size_t i = 0; i < arch.choices.size(); ++i) {
    const int bound = up ? space.decisions()[i].num_choices() - 1 : 0;
    if (arch.choices[i] != bound && space.alive(arch, static_cast<int>(i))) {
      movable.push_back(i);
    }
  }
  if (!movable.empty()) {
    std::uint8_t& choice =
        arch.choices[movable[rng.below(static_cast<std::uint32_t>(movable.size()))]];
    choice = static_cast<std::uint8_t>(up ? choice + 1 : choice - 1);
  }
  return space.canonical(std::move(arch));
}

/// Every net of a space of few, which random walks need not come across; none of a larger one.
std::set<space::Arch> all_of_few(const space::Space& space) {
  constexpr double kFew = 1e5;
  double most = 1;
  for (const space::Decision& decision : space.decisions()) {
    most *= decision.num_choices();
  }
  std::set<space::Arch> nets;
  space::Arch arch;
  arch.choices.assign(space.decisions().size(), 0);
  for (std::size_t i = 0; most <= kFew && i < arch.choices.size();) {
    nets.insert(space.canonical(arch));
    for (i = 0; i < arch.choices.size(); ++i) {  // counts up, the first decision fastest
      if (arch.choices[i] + 1 < space.decisions()[i].num_choices()) {
        ++arch.choices[i];
        break;
      }
      arch.choices[i] = 0;
    }
  }
  return nets;
}

/// The one of those that is nearest to `target` and not taken; none if there is no such one.
space::Arch nearest_of_few(const space::Space& space,
                           const std::function<double(const space::Arch&)>& cost, double target,
                           const std::unordered_set<space::Arch>& taken) {
  space::Arch best;
  double best_distance = std::numeric_limits<double>::infinity();
  for (const space::Arch& arch : all_of_few(space)) {
    const double distance = std::abs(cost(arch) - target);
    if (distance < best_distance && !taken.contains(arch)) {
      best = arch;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace

std::vector<space::Arch> sample_evenly(const space::Space& space,
                                       const latency::LatencyModel& latency, int count, Rng& rng) {
  return sample_evenly(
      space, [&](const space::Arch& arch) { return latency.predict_ms(arch); }, count, rng);
}

std::vector<space::Arch> sample_evenly(const space::Space& space,
                                       const std::function<double(const space::Arch&)>& cost,
                                       int count, Rng& rng) {
  if (count < 2) {
    throw std::invalid_argument("[search::sample_evenly] count must be >= 2, got " +
                                std::to_string(count));
  }
  const double low = cost(space.smallest());
  const double width = (cost(space.largest()) - low) / count;
  std::vector<space::Arch> archs{space.smallest()};
  std::unordered_set<space::Arch> taken{space.smallest(), space.largest()};
  for (int i = 1; i + 1 < count; ++i) {
    const double target = low + (i + 0.5) * width;
    space::Arch best;
    double best_distance = std::numeric_limits<double>::infinity();
    for (int walk = 0; walk < kWalks && best_distance > 0.5 * std::abs(width); ++walk) {
      space::Arch arch = space.sample(rng);
      for (int s = 0; s < kStepsPerWalk; ++s) {
        const double here = cost(arch);
        if (std::abs(here - target) < best_distance && !taken.contains(arch)) {
          best = arch;
          best_distance = std::abs(here - target);
        }
        if (best_distance <= 0.5 * std::abs(width)) {
          break;
        }
        arch = step(space, std::move(arch), here < target, rng);
      }
    }
    if (best.choices.empty()) {
      best = nearest_of_few(space, cost, target, taken);
    }
    if (best.choices.empty()) {
      throw Error("space " + space.name() + " has fewer than " + std::to_string(count) +
                  " archs to sample");
    }
    taken.insert(best);
    archs.push_back(std::move(best));
  }
  archs.push_back(space.largest());
  return archs;
}

}  // namespace lathe::search
