// When a search has done enough.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

namespace lathe::search {

/// After so many evaluations, or after so much time; 0: no such limit. A budget of seconds makes
/// what is found depend on the machine.
class StoppingRule {
 public:
  using Clock = std::chrono::steady_clock;

  StoppingRule() = default;
  StoppingRule(std::int64_t max_evaluations, double budget_s)
      : evaluations_(max_evaluations > 0 ? max_evaluations : kUnlimited),
        deadline_(budget_s > 0 ? std::optional(after(budget_s)) : std::nullopt) {}

  /// How many more evaluations are allowed after `done`; none once the time is over.
  std::int64_t left(std::int64_t done) const {
    if (deadline_ && Clock::now() >= *deadline_) {
      return 0;
    }
    return std::max<std::int64_t>(0, evaluations_ - done);
  }
  bool stops(std::int64_t done) const { return left(done) == 0; }

  /// The rule for a part of what is still to be done: `share` in (0, 1] of what is left.
  StoppingRule share(double share, std::int64_t done) const {
    StoppingRule part;
    if (evaluations_ != kUnlimited) {
      part.evaluations_ = done + static_cast<std::int64_t>(share * static_cast<double>(left(done)));
    }
    if (deadline_) {
      const std::chrono::duration<double> left_s = *deadline_ - Clock::now();
      part.deadline_ = after(share * std::max(0.0, left_s.count()));
    }
    return part;
  }

 private:
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();
  static Clock::time_point after(double seconds) {
    constexpr double kYear = 3.2e7;  // beyond which the clock's ticks might not fit
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(
                              std::chrono::duration<double>(std::min(seconds, kYear)));
  }

  std::int64_t evaluations_ = kUnlimited;
  std::optional<Clock::time_point> deadline_;
};

}  // namespace lathe::search
