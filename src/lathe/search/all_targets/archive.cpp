#include "lathe/search/all_targets/archive.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace lathe::search {

Archive::Archive(std::vector<double> limits_ms, std::size_t capacity)
    : limits_ms_(std::move(limits_ms)), capacity_(capacity), rankings_(limits_ms_.size()) {
  if (limits_ms_.empty() || capacity == 0) {
    throw std::invalid_argument("[search::Archive] needs a limit and a capacity, got " +
                                std::to_string(limits_ms_.size()) + " limits and capacity " +
                                std::to_string(capacity));
  }
  for (std::size_t i = 1; i < limits_ms_.size(); ++i) {
    if (!(limits_ms_[i - 1] < limits_ms_[i])) {
      throw std::invalid_argument("[search::Archive] limits must ascend, got " +
                                  std::to_string(limits_ms_[i - 1]) + " before " +
                                  std::to_string(limits_ms_[i]));
    }
  }
}

bool Archive::add(Candidate candidate) {
  if (!std::isfinite(candidate.predicted_ms) || !std::isfinite(candidate.predicted_accuracy)) {
    throw std::invalid_argument("[search::Archive::add] predictions must be finite, got " +
                                std::to_string(candidate.predicted_ms) + " ms and accuracy " +
                                std::to_string(candidate.predicted_accuracy));
  }
  if (!known_.emplace(candidate.arch, all_.size()).second) {
    return false;
  }
  const std::size_t index = all_.size();
  all_.push_back(std::move(candidate));
  const Candidate& added = all_.back();
  const auto first = std::ranges::lower_bound(limits_ms_, added.predicted_ms);
  for (auto t = static_cast<std::size_t>(first - limits_ms_.begin()); t < limits_ms_.size(); ++t) {
    std::vector<std::size_t>& ranking = rankings_[t];
    if (ranking.size() == capacity_ && better(all_[ranking.back()], added)) {
      continue;
    }
    const auto place = std::ranges::upper_bound(
        ranking, index, [this](std::size_t a, std::size_t b) { return better(all_[a], all_[b]); });
    ranking.insert(place, index);
    if (ranking.size() > capacity_) {
      ranking.pop_back();
    }
  }
  return true;
}

}  // namespace lathe::search
