#include "lathe/search/chain/lagrangian.h"

#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

#include "lathe/space/min_sum.h"

namespace lathe::search {
namespace {

constexpr double kPriceRounding = 1e-13;  // relative

struct Point {
  space::Path path;
  double error = 0.0;
  double latency = 0.0;
};

/// Shortest paths for prices, of the transitions that have both costs.
class Priced {
 public:
  Priced(const space::Trellis& trellis, std::span<const double> error,
         std::span<const double> latency)
      : trellis_(trellis), error_(error), latency_(latency), costs_(error.size()) {}

  /// The path with the least weight_error * error + weight_latency * latency.
  std::optional<Point> best(double weight_error, double weight_latency) {
    ++solved_;
    for (std::size_t t = 0; t < costs_.size(); ++t) {
      // A weight of 0 keeps what can't be taken from being taken: 0 x infinity is NaN.
      costs_[t] = weight_error * error_[t] + weight_latency * latency_[t];
    }
    auto found = space::min_sum(trellis_, costs_);
    if (!found) {
      return std::nullopt;
    }
    const double error = space::Trellis::total(found->path, error_);
    const double latency = space::Trellis::total(found->path, latency_);
    return Point{.path = std::move(found->path), .error = error, .latency = latency};
  }
  int solved() const { return solved_; }

 private:
  const space::Trellis& trellis_;
  std::span<const double> error_;
  std::span<const double> latency_;
  std::vector<double> costs_;
  int solved_ = 0;
};

LagrangianAnswer answer(Point point, double price, double bound, int solved) {
  return {.path = std::move(point.path),
          .error = point.error,
          .latency = point.latency,
          .price = price,
          .bound = bound,
          .solved = solved};
}

}  // namespace

std::optional<LagrangianAnswer> lagrangian_search(const space::Trellis& trellis,
                                                  std::span<const double> error,
                                                  std::span<const double> latency, double limit) {
  trellis.require_one_each(error.size(), "search::lagrangian_search", "error");
  trellis.require_one_each(latency.size(), "search::lagrangian_search", "latency");
  if (std::isnan(limit)) {
    throw std::invalid_argument("[search::lagrangian_search] limit must be a number, got nan");
  }
  Priced priced(trellis, error, latency);
  std::optional<Point> slow = priced.best(1, 0);
  if (!slow) {
    return std::nullopt;
  }
  if (slow->latency <= limit) {
    const double bound = slow->error;
    return answer(std::move(*slow), 0, bound, priced.solved());
  }
  std::optional<Point> fast = priced.best(0, 1);
  if (!fast || fast->latency > limit) {
    return std::nullopt;
  }
  // Of the hull's edge from `fast` to `slow` the height at the limit is a value of the dual as soon
  // as no path lies below the edge; until then each path below it narrows the edge.
  double price = 0;
  double bound = slow->error;
  while (true) {
    price = (fast->error - slow->error) / (slow->latency - fast->latency);
    if (!(price > 0) || !std::isfinite(price)) {
      price = 0;  // the fast path is no worse than the slow one
      bound = slow->error;
      break;
    }
    std::optional<Point> below = priced.best(1, price);
    const auto value = [price](const Point& p) { return p.error + price * p.latency; };
    bound = value(*below) - price * limit;
    const double edge = value(*fast);
    const double rounding =
        kPriceRounding * (std::abs(fast->error) + price * std::abs(fast->latency));
    const bool on_the_edge = !(value(*below) < edge - rounding);
    if (below->latency > limit) {
      slow = std::move(below);
    } else if (!on_the_edge || below->error < fast->error) {
      fast = std::move(below);
    }
    if (on_the_edge) {
      break;
    }
  }
  return answer(std::move(*fast), price, bound, priced.solved());
}

}  // namespace lathe::search
