#include "lathe/run/winners.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <utility>

namespace lathe::run {
namespace {

std::vector<search::Candidate> in_order_of_trial(const search::TargetResult& target,
                                                 const std::vector<search::Candidate>& front) {
  std::vector<search::Candidate> all = target.candidates;
  for (const search::Candidate& candidate : front) {
    const bool listed = std::any_of(all.begin(), all.end(), [&](const search::Candidate& other) {
      return other.arch == candidate.arch;
    });
    if (!listed && candidate.predicted_ms <= target.target_ms) {
      all.push_back(candidate);
    }
  }
  std::sort(all.begin(), all.end(), search::better);
  return all;
}

}  // namespace

double median_ms(const space::Arch& arch, double limit_ms, const MeasureFn& measure) {
  std::array<double, 3> sessions{measure(arch), measure(arch), 0.0};
  if ((sessions[0] <= limit_ms) == (sessions[1] <= limit_ms)) {
    return (sessions[0] + sessions[1]) / 2;
  }
  sessions[2] = measure(arch);
  std::sort(sessions.begin(), sessions.end());
  return sessions[1];
}

Winner find_winner(const search::TargetResult& target, const std::vector<search::Candidate>& front,
                   int attempts, const MeasureFn& measure, const ProgressFn& progress) {
  if (!target.feasible || target.candidates.empty()) {
    throw std::invalid_argument("[run::find_winner] the target must have a candidate");
  }
  std::vector<search::Candidate> untried = in_order_of_trial(target, front);
  std::optional<std::pair<search::Candidate, double>> fastest;
  std::vector<double> replaced_ms;
  double limit_ms = target.target_ms;  // of predictions worth a try
  bool last_resort = false;
  while (!untried.empty() && !last_resort && static_cast<int>(replaced_ms.size()) < attempts) {
    auto next = std::find_if(untried.begin(), untried.end(), [&](const search::Candidate& c) {
      return c.predicted_ms <= limit_ms;
    });
    if (next == untried.end()) {  // the limit is a guess: the fastest that is left may hold
      next = std::min_element(untried.begin(), untried.end(), [](const auto& a, const auto& b) {
        return a.predicted_ms < b.predicted_ms;
      });
      last_resort = true;
    }
    const search::Candidate candidate = *next;
    untried.erase(next);
    const double ms = median_ms(candidate.arch, target.target_ms, measure);
    if (ms <= target.target_ms) {
      return {candidate, true, std::move(replaced_ms)};
    }
    progress({"verify", 0, 0,
              fmt::format("target {:.3f} ms: a candidate predicted at {:.3f} ms measured {:.3f} ms",
                          target.target_ms, candidate.predicted_ms, ms)});
    limit_ms = std::min(limit_ms, candidate.predicted_ms * target.target_ms / ms);
    replaced_ms.push_back(ms);
    if (!fastest || ms < fastest->second) {
      fastest = {candidate, ms};
    }
  }
  // None holds. The one that is handed over was not replaced.
  replaced_ms.erase(std::find(replaced_ms.begin(), replaced_ms.end(), fastest->second));
  return {fastest->first, false, std::move(replaced_ms)};
}

}  // namespace lathe::run
