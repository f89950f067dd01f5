#include "lathe/search/chain/forward_backward.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "lathe/space/trellis.h"

namespace lathe::search {
namespace {

using space::kInfinity;

}  // namespace

ForwardBackward::ForwardBackward(const space::Trellis& trellis, std::span<const double> energies)
    : trellis_(&trellis),
      energies_(energies.begin(), energies.end()),
      forward_(trellis.num_states(), -kInfinity),
      transition_marginals_(trellis.num_transitions(), 0.0),
      state_marginals_(trellis.num_states(), 0.0) {
  trellis.require_one_each(energies.size(), "search::ForwardBackward", "energies");
  for (double& energy : energies_) {
    energy = std::isfinite(energy) ? energy : kInfinity;
  }
  forward_.front() = 0;
  const std::uint32_t num_states = trellis.num_states();
  const auto arriving_end = [&](std::uint32_t state) { return trellis.first_arriving(state + 1); };
  for (std::uint32_t state = 1; state < num_states; ++state) {
    double most = -kInfinity;
    for (std::uint32_t t = trellis.first_arriving(state); t < arriving_end(state); ++t) {
      most = std::max(most, forward_[trellis.transition(t).from] - energies_[t]);
    }
    if (most == -kInfinity) {
      continue;  // no way to it
    }
    double sum = 0;
    for (std::uint32_t t = trellis.first_arriving(state); t < arriving_end(state); ++t) {
      sum += std::exp(forward_[trellis.transition(t).from] - energies_[t] - most);
    }
    forward_[state] = most + std::log(sum);
  }
  if (forward_.back() == -kInfinity) {
    throw std::invalid_argument("[search::ForwardBackward] no path can be taken");
  }
  // A transition's share of the ways to its end is known; so backwards from 1 at the end.
  state_marginals_.back() = 1;
  for (std::uint32_t state = num_states - 1; state > 0; --state) {
    if (state_marginals_[state] == 0) {
      continue;
    }
    for (std::uint32_t t = trellis.first_arriving(state); t < arriving_end(state); ++t) {
      const std::uint32_t from = trellis.transition(t).from;
      transition_marginals_[t] =
          state_marginals_[state] * std::exp(forward_[from] - energies_[t] - forward_[state]);
      state_marginals_[from] += transition_marginals_[t];
    }
  }
}

double ForwardBackward::expected_total(std::span<const double> costs) const {
  trellis_->require_one_each(costs.size(), "search::ForwardBackward::expected_total", "costs");
  double sum = 0;
  for (std::size_t t = 0; t < costs.size(); ++t) {
    if (transition_marginals_[t] > 0) {
      sum += transition_marginals_[t] * costs[t];
    }
  }
  return sum;
}

space::Path ForwardBackward::sample(Rng& rng) const {
  space::Path path(trellis_->num_steps());
  std::uint32_t state = trellis_->num_states() - 1;
  for (std::size_t s = path.size(); s-- > 0;) {
    double left = rng.uniform();
    for (std::uint32_t t = trellis_->first_arriving(state); t < trellis_->first_arriving(state + 1);
         ++t) {
      const double share =
          std::exp(forward_[trellis_->transition(t).from] - energies_[t] - forward_[state]);
      if (share > 0) {
        path[s] = t;  // the last of them if rounding leaves some of the number
        left -= share;
      }
      if (left < 0) {
        break;
      }
    }
    state = trellis_->transition(path[s]).from;
  }
  return path;
}

double ForwardBackward::log_probability(std::span<const std::uint32_t> path) const {
  return -space::Trellis::total(path, energies_) - log_partition();
}

}  // namespace lathe::search
