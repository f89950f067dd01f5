#include "lathe/search/slot_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace lathe::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kRounding = 1e-12;  // relative: sums from both ends of the net differ by this

}  // namespace

SlotSampler::SlotSampler(const space::SlotChain& chain, const space::SlotCosts& costs,
                         const Passable& passable)
    : chain_(&chain), constant_(costs.constant()), steps_(chain.steps().size()) {
  for (const space::SlotStep& step : chain.steps()) {
    num_decisions_ += step.opened.size();
  }
  std::vector<double> rest{0.0};  // after the slot at hand
  for (std::size_t s = steps_.size(); s-- > 0;) {
    const auto& transitions = chain.steps()[s].transitions;
    const auto table = costs.table(s);
    Step& step = steps_[s];
    const std::uint32_t states = chain.num_states(s);
    std::vector<std::vector<Way>> from(states);
    step.least.assign(states, kInfinity);
    for (std::size_t t = 0; t < transitions.size(); ++t) {
      const space::SlotTransition& transition = transitions[t];
      const Way way{.transition = static_cast<std::uint32_t>(t),
                    .cost = table[transition.entry],
                    .rest = rest[transition.to]};
      if (!std::isfinite(way.cost + way.rest) || (passable && !passable(s, transition.entry))) {
        continue;
      }
      from[transition.from].push_back(way);
      step.least[transition.from] = std::min(step.least[transition.from], way.cost + way.rest);
    }
    for (const std::vector<Way>& ways : from) {
      step.first_way.push_back(static_cast<std::uint32_t>(step.ways.size()));
      step.ways.insert(step.ways.end(), ways.begin(), ways.end());
    }
    step.first_way.push_back(static_cast<std::uint32_t>(step.ways.size()));
    rest = step.least;
  }
}

std::optional<space::Arch> SlotSampler::cheapest() const {
  if (steps_.front().least.front() == kInfinity) {
    return std::nullopt;
  }
  Rng among_equals(0);
  return sample(std::numeric_limits<double>::lowest(), among_equals);
}

space::Arch SlotSampler::sample(double limit, Rng& rng) const {
  if (steps_.front().least.front() == kInfinity) {
    throw std::invalid_argument("[search::SlotSampler::sample] no net is passable");
  }
  space::Arch arch{std::vector<std::uint8_t>(num_decisions_, 0)};
  double spent = constant_;
  std::uint32_t state = 0;
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const Step& step = steps_[s];
    const Way* const first = step.ways.data() + step.first_way[state];
    const Way* const last = step.ways.data() + step.first_way[state + 1];
    // At least the cheapest way on, also where rounding would forbid it.
    const double allowed = std::max(limit - spent + kRounding * std::abs(limit), step.least[state]);
    const auto fits = [allowed](const Way& way) { return way.cost + way.rest <= allowed; };
    const auto count = static_cast<std::uint32_t>(std::count_if(first, last, fits));
    std::uint32_t skip = count > 1 ? rng.below(count) : 0;
    const Way* way = std::find_if(first, last, fits);
    for (; skip > 0; --skip) {
      way = std::find_if(way + 1, last, fits);
    }
    const space::SlotTransition& taken = chain_->steps()[s].transitions[way->transition];
    chain_->decide(s, taken, arch);
    spent += way->cost;
    state = taken.to;
  }
  return arch;
}

}  // namespace lathe::search
