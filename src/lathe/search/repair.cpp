#include "lathe/search/repair.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lathe::search {
namespace {

std::vector<std::size_t> differing(const space::Arch& a, const space::Arch& b) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < a.choices.size(); ++i) {
    if (a.choices[i] != b.choices[i]) {
      result.push_back(i);
    }
  }
  return result;
}

// A choice on the way from `from` (excluded) to `to` (included).
std::uint8_t part_of_the_way(std::uint8_t from, std::uint8_t to, Rng& rng) {
  const int distance = static_cast<int>(to) - static_cast<int>(from);
  const int steps = 1 + static_cast<int>(rng.below(static_cast<std::uint32_t>(std::abs(distance))));
  return static_cast<std::uint8_t>(from + (distance > 0 ? steps : -steps));
}

}  // namespace

TimedArch repair(const space::Space& space, const latency::LatencyModel& latency, space::Arch arch,
                 double limit_ms, const TimedArch& fastest, Rng& rng) {
  if (!(fastest.predicted_ms <= limit_ms)) {
    throw std::invalid_argument("[search::repair] the fastest net must be within the limit of " +
                                std::to_string(limit_ms) + " ms, got " +
                                std::to_string(fastest.predicted_ms));
  }
  const auto accept = [&](const space::Arch& net) -> std::optional<double> {
    const double predicted_ms = latency.predict_ms(net);
    return predicted_ms <= limit_ms ? std::optional(predicted_ms) : std::nullopt;
  };
  return repair(space, accept, std::move(arch), fastest, rng);
}

TimedArch repair(const space::Space& space, const Accept& accept, space::Arch arch,
                 const TimedArch& fastest, Rng& rng) {
  arch = space.canonical(std::move(arch));
  // Every step brings one decision closer; only a change that revives dead decisions can add
  // steps, so this bound is hardly ever met.
  int steps = 0;
  for (const space::Decision& decision : space.decisions()) {
    steps += decision.num_choices();
  }
  for (; steps > 0; --steps) {
    if (const auto predicted_ms = accept(arch)) {
      return {.arch = std::move(arch), .predicted_ms = *predicted_ms};
    }
    const std::vector<std::size_t> open = differing(arch, fastest.arch);
    if (open.empty()) {
      break;
    }
    const std::size_t i = open[rng.below(static_cast<std::uint32_t>(open.size()))];
    arch.choices[i] = part_of_the_way(arch.choices[i], fastest.arch.choices[i], rng);
    arch = space.canonical(std::move(arch));
  }
  return fastest;
}

}  // namespace lathe::search
