#include "lathe/search/chain/staircase.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lathe::search {
namespace {

/// How many numbers the range that ends at a rank has: its lowest bit that is set.
std::size_t range_size(std::size_t rank) { return rank & (~rank + 1); }

}  // namespace

bool Staircase::covers(double x, double y) const {
  const auto above = y_by_x_.upper_bound(x);
  return above != y_by_x_.begin() && std::prev(above)->second <= y;
}

void Staircase::insert(double x, double y) {
  if (covers(x, y)) {
    return;
  }
  const auto at = y_by_x_.insert_or_assign(x, y).first;
  for (auto next = std::next(at); next != y_by_x_.end() && next->second >= y;) {
    next = y_by_x_.erase(next);
  }
}

Staircase3::Staircase3(std::vector<double> xs) : xs_(std::move(xs)) {
  std::ranges::sort(xs_);
  xs_.erase(std::unique(xs_.begin(), xs_.end()), xs_.end());
  ranges_.resize(xs_.size() + 1);
}

std::size_t Staircase3::rank(double x) const {
  return static_cast<std::size_t>(std::ranges::upper_bound(xs_, x) - xs_.begin());
}

bool Staircase3::covers(double x, double y, double z) const {
  for (std::size_t i = rank(x); i > 0; i -= range_size(i)) {
    if (ranges_[i].covers(y, z)) {
      return true;
    }
  }
  return false;
}

void Staircase3::insert(double x, double y, double z) {
  for (std::size_t i = rank(x); i > 0 && i < ranges_.size(); i += range_size(i)) {
    ranges_[i].insert(y, z);
  }
}

}  // namespace lathe::search
