#include "lathe/search/chain/path_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "lathe/space/min_sum.h"

namespace lathe::search {
namespace {

using space::kInfinity;
constexpr double kSumRounding = 1e-12;  // relative: sums from both ends of a path differ by this

}  // namespace

PathSampler::PathSampler(const space::Trellis& trellis, std::span<const double> costs)
    : trellis_(&trellis), least_(space::suffix_minima(trellis, costs)) {
  for (std::uint32_t state = 0; state < trellis.num_states(); ++state) {
    first_way_.push_back(static_cast<std::uint32_t>(ways_.size()));
    for (const std::uint32_t t : trellis.leaving(state)) {
      const Way way{.transition = t, .cost = costs[t], .rest = least_[trellis.transition(t).to]};
      if (std::isfinite(way.cost + way.rest)) {
        ways_.push_back(way);
      }
    }
  }
  first_way_.push_back(static_cast<std::uint32_t>(ways_.size()));
}

std::optional<space::Path> PathSampler::cheapest() const {
  if (least_.front() == kInfinity) {
    return std::nullopt;
  }
  Rng among_equals(0);
  return sample(std::numeric_limits<double>::lowest(), among_equals);
}

space::Path PathSampler::sample(double limit, Rng& rng) const {
  if (least_.front() == kInfinity) {
    throw std::invalid_argument("[search::PathSampler::sample] no path can be taken");
  }
  space::Path path;
  path.reserve(trellis_->num_steps());
  double spent = 0;
  std::uint32_t state = 0;
  while (path.size() < trellis_->num_steps()) {
    const Way* const first = ways_.data() + first_way_[state];
    const Way* const last = ways_.data() + first_way_[state + 1];
    // At least the cheapest way on, also where rounding would forbid it.
    const double allowed = std::max(limit - spent + kSumRounding * std::abs(limit), least_[state]);
    const auto fits = [allowed](const Way& way) { return way.cost + way.rest <= allowed; };
    const auto count = static_cast<std::uint32_t>(std::count_if(first, last, fits));
    std::uint32_t skip = count > 1 ? rng.below(count) : 0;
    const Way* way = std::find_if(first, last, fits);
    for (; skip > 0; --skip) {
      way = std::find_if(way + 1, last, fits);
    }
    path.push_back(way->transition);
    spent += way->cost;
    state = trellis_->transition(way->transition).to;
  }
  return path;
}

}  // namespace lathe::search
