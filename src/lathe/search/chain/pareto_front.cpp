#include "lathe/search/chain/pareto_front.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

namespace lathe::search {
namespace {

constexpr std::size_t kHope = 16;  // times the labels that are sure to fit are tried first

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("[search::ParetoFront] " + what);
}

void check(const space::Trellis& trellis, const front::Costs& costs, const ParetoOptions& options) {
  constexpr const char* kFunction = "search::ParetoFront";
  trellis.require_one_each(costs.error.size(), kFunction, "error");
  trellis.require_one_each(costs.latency.size(), kFunction, "latency");
  if (options.limits.size() > front::kMostLimits) {
    refuse("limits must be at most " + std::to_string(front::kMostLimits) + ", got " +
           std::to_string(options.limits.size()));
  }
  for (const LimitedCost& limited : options.limits) {
    trellis.require_one_each(limited.costs.size(), kFunction, "limited costs");
    if (std::ranges::any_of(limited.costs, [](double c) { return !std::isfinite(c) || c < 0; })) {
      refuse("limited costs must be finite and >= 0");
    }
    if (std::isnan(limited.limit)) {
      refuse("limit must be a number, got nan");
    }
  }
  if (options.max_labels / 2 < trellis.num_states()) {
    refuse("max_labels must be at least two for each of the " +
           std::to_string(trellis.num_states()) + " states, got " +
           std::to_string(options.max_labels));
  }
}

/// Which of the points no other is better than, by ascending latency; of equals the first.
std::vector<std::uint32_t> non_dominated(std::span<const FrontPoint> points) {
  std::vector<std::uint32_t> order(points.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(points[a].latency, points[a].error) <
           std::pair(points[b].latency, points[b].error);
  });
  std::vector<std::uint32_t> front;
  for (const std::uint32_t i : order) {
    if (front.empty() || points[i].error < points[front.back()].error) {
      front.push_back(i);
    }
  }
  return front;
}

}  // namespace

ParetoFront::ParetoFront(const space::Trellis& trellis, std::span<const double> error,
                         std::span<const double> latency, const ParetoOptions& options)
    : trellis_(&trellis) {
  const front::Costs costs{.error = error, .latency = latency, .limits = options.limits};
  check(trellis, costs, options);
  auto labels = front::front_labels(trellis, costs, {}, options.max_labels);
  exact_ = labels.has_value();
  labels_ = exact_ ? std::move(*labels) : thinned(costs, options.max_labels);
  ends_ = non_dominated(labels_.ends);
  for (const std::uint32_t end : ends_) {
    points_.push_back(labels_.ends[end]);
  }
}

// Real labels; fills bound_.
front::Labels ParetoFront::thinned(const front::Costs& costs, std::size_t max_labels) {
  using Keep = front::Thinning::Keep;
  const std::size_t sure = max_labels / trellis_->num_states();
  // Where each state has so many, all are within the budget; but most states have fewer labels.
  std::size_t most = sure * kHope;
  while (true) {
    const std::size_t budget = most > sure ? max_labels : std::numeric_limits<std::size_t>::max();
    const auto below =
        front::front_labels(*trellis_, costs, {.keep = Keep::kBound, .most = most}, budget);
    auto real =
        below ? front::front_labels(*trellis_, costs, {.keep = Keep::kSome, .most = most}, budget)
              : std::nullopt;
    if (real) {
      for (const std::uint32_t end : non_dominated(below->ends)) {
        bound_.push_back(below->ends[end]);
      }
      return std::move(*real);
    }
    most = std::max(sure, most / 4 * 3);
  }
}

std::optional<FrontAnswer> ParetoFront::best(double latency_limit) const {
  const auto within = [latency_limit](std::span<const FrontPoint> points) {
    const auto first_beyond =
        std::partition_point(points.begin(), points.end(),
                             [&](const FrontPoint& p) { return p.latency <= latency_limit; });
    return static_cast<std::size_t>(first_beyond - points.begin());
  };
  const std::size_t count = within(points_);
  if (count == 0) {
    return std::nullopt;
  }
  const FrontPoint& point = points_[count - 1];
  const std::size_t below = within(bound());
  return FrontAnswer{
      .path = labels_.path(*trellis_, ends_[count - 1]),
      .latency = point.latency,
      .error = point.error,
      .bound = below == 0 ? point.error : std::min(point.error, bound()[below - 1].error)};
}

}  // namespace lathe::search
