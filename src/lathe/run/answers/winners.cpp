#include "lathe/run/answers/winners.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/core/statistics.h"

namespace lathe::run {
namespace {

using measure::Verdict;

constexpr double kNineOfTen = 1.2816;  // deviations
constexpr double kClearly = 4;         // deviations
constexpr int kRepeatsWhenDisturbed = 20;
// Of the error at which judging ends: a session above that comes later leaves the verdict as it is.
constexpr double kReserve = 0.25;

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

/// One target's way to its winner.
class Hunt {
 public:
  Hunt(const search::TargetResult& target, const std::vector<search::Candidate>& front,
       const WinnerOptions& options, double alpha)
      : options_(options),
        target_ms_(target.target_ms),
        guarded_ms_(guarded_ms(target.target_ms, options.deviation)),
        alpha_(alpha),
        limit_ms_(target.target_ms),
        untried_(in_order_of_trial(target, front)) {}

  bool open() const { return judged_.has_value(); }
  const space::Arch& judged() const { return judged_->arch; }

  /// Measures candidates until one is to be judged; closes the hunt if there is none.
  void choose(const SessionFn& measure, const ProgressFn& progress);
  /// A session of judged(). Whether it closed the case.
  bool observe(double ms);
  Winner winner() const;

 private:
  struct Judged {
    search::Candidate candidate;
    measure::LimitEvidence evidence;
    std::vector<double> session_ms;
    double alpha = 0;
  };

  std::vector<search::Candidate>::iterator next();
  std::string why_not(const search::Candidate& candidate, double ms, double limit_share) const;
  void pass_over(search::Candidate candidate, double ms, double limit_share);
  void fall_back();
  void judge(search::Candidate candidate) {
    judged_ = std::move(candidate);
    cases_.push_back({*judged_, {}, {}, alpha_ *= 0.5});
  }
  /// Learns from a candidate that was measured: how far predictions are off here. One net says
  /// half of what it seems to.
  void narrow(const search::Candidate& candidate, double ms) {
    constexpr double kDoubt = 1;
    log_ratios_ += std::log(ms / candidate.predicted_ms);
    ++ratios_;
    limit_ms_ = guarded_ms_ * std::exp(-std::max(0.0, log_ratios_) / (ratios_ + kDoubt));
  }

  const WinnerOptions& options_;
  double target_ms_, guarded_ms_;
  double alpha_;     // of the try before
  double limit_ms_;  // of predictions worth a try
  double log_ratios_ = 0, ratios_ = 0;
  double thrifty_ms_ = std::numeric_limits<double>::infinity();  // the same for other limits
  std::vector<search::Candidate> untried_;
  std::vector<search::Candidate> near_;  // within the target, but not guarded_ms_
  std::optional<std::pair<search::Candidate, double>> fastest_;     // of those above the target
  std::optional<std::pair<search::Candidate, double>> thriftiest_;  // of those above a limit
  int tried_ = 0;
  bool last_resort_ = false;
  std::optional<search::Candidate> judged_;
  std::vector<Judged> cases_;
  std::vector<double> too_slow_ms_;
};

/// The limit is a guess: when only slower ones are left, the fastest may hold.
std::vector<search::Candidate>::iterator Hunt::next() {
  auto found = std::find_if(untried_.begin(), untried_.end(), [&](const search::Candidate& c) {
    return c.predicted_ms <= std::min(limit_ms_, thrifty_ms_);
  });
  if (found == untried_.end()) {
    found = std::min_element(untried_.begin(), untried_.end(), [](const auto& a, const auto& b) {
      return a.predicted_ms < b.predicted_ms;
    });
    last_resort_ = true;
  }
  return found;
}

void Hunt::choose(const SessionFn& measure, const ProgressFn& progress) {
  const double clearly_above_ms = guarded_ms_ * (1 + kClearly * options_.deviation);
  double limit_share = 0;
  const MeasureFn undisturbed_ms = [&](const space::Arch& arch) {
    Session session = measure(arch);
    for (int i = 0;
         i < kRepeatsWhenDisturbed && session.ms > clearly_above_ms && options_.disturbed(); ++i) {
      session = measure(arch);
    }
    limit_share = session.limit_share;
    return session.ms;
  };
  judged_.reset();
  while (!untried_.empty() && !last_resort_ && tried_ < options_.attempts) {
    const auto at = next();
    search::Candidate candidate = *at;
    untried_.erase(at);
    ++tried_;
    const double ms = median_ms(candidate.arch, guarded_ms_, undisturbed_ms);
    if (limit_share <= 1 && ms <= guarded_ms_) {
      judge(std::move(candidate));
      return;
    }
    progress({"verify", 0, 0, why_not(candidate, ms, limit_share)});
    pass_over(std::move(candidate), ms, limit_share);
  }
  fall_back();
}

std::string Hunt::why_not(const search::Candidate& candidate, double ms, double limit_share) const {
  if (limit_share > 1) {
    return fmt::format(
        "target {:.3f} ms: a candidate of {:.3f} ms takes {:.2f} times what a limit allows",
        target_ms_, ms, limit_share);
  }
  return fmt::format(
      "target {:.3f} ms: a candidate predicted at {:.3f} ms measured {:.3f} ms{}", target_ms_,
      candidate.predicted_ms, ms,
      ms <= target_ms_
          ? fmt::format(", too near for sessions that differ by {:.1f}%", 100 * options_.deviation)
          : "");
}

/// Keeps what was learnt from a candidate that isn't chosen.
void Hunt::pass_over(search::Candidate candidate, double ms, double limit_share) {
  if (limit_share > 1) {
    too_slow_ms_.push_back(ms);
    // As a guess what else a net takes grows as its latency does.
    thrifty_ms_ = std::min(thrifty_ms_, candidate.predicted_ms / limit_share);
    if (!thriftiest_ || limit_share < thriftiest_->second) {
      thriftiest_ = {std::move(candidate), limit_share};
    }
    return;
  }
  narrow(candidate, ms);
  if (ms <= target_ms_) {
    near_.push_back(std::move(candidate));
    return;
  }
  too_slow_ms_.push_back(ms);
  if (!fastest_ || ms < fastest_->second) {
    fastest_ = {std::move(candidate), ms};
  }
}

/// None is left to be chosen as it should be.
void Hunt::fall_back() {
  if (!near_.empty()) {
    judge(near_.front());
    near_.erase(near_.begin());
  } else if (cases_.empty() && !fastest_) {
    judge(thriftiest_->first);
  } else if (cases_.empty()) {  // the one that is handed over was not replaced
    too_slow_ms_.erase(std::find(too_slow_ms_.begin(), too_slow_ms_.end(), fastest_->second));
    judge(fastest_->first);
  }
}

bool Hunt::observe(double ms) {
  Judged& now = cases_.back();
  now.session_ms.push_back(ms);
  now.evidence.observe(ms <= target_ms_);
  if (now.evidence.verdict(kReserve * now.alpha) == Verdict::kWithin) {
    judged_.reset();
    return true;
  }
  const Verdict verdict = now.evidence.verdict(now.alpha);
  if (verdict != Verdict::kAbove && now.evidence.sessions() < options_.most_sessions) {
    return false;
  }
  narrow(now.candidate, median(now.session_ms));
  return true;
}

Winner Hunt::winner() const {
  const auto best =
      std::max_element(cases_.begin(), cases_.end(), [](const Judged& a, const Judged& b) {
        return a.alpha * a.evidence.evidence_within() < b.alpha * b.evidence.evidence_within();
      });
  Winner winner{best->candidate, best->evidence.verdict(best->alpha), best->alpha, best->session_ms,
                too_slow_ms_};
  for (auto it = cases_.begin(); it != cases_.end(); ++it) {
    if (it != best) {
      winner.replaced_ms.push_back(median(it->session_ms));
    }
  }
  return winner;
}

/// Sessions in turns, one of each candidate that is judged, until all hunts are closed.
void judge_all(std::vector<Hunt>& hunts, const WinnerOptions& options, const SessionFn& measure,
               const ProgressFn& progress) {
  const auto open = [&] {
    return std::any_of(hunts.begin(), hunts.end(), [](const Hunt& h) { return h.open(); });
  };
  while (open()) {
    options.renew();
    std::map<space::Arch, double> session_ms;  // one net may be the candidate of several targets
    for (Hunt& hunt : hunts) {
      if (!hunt.open()) {
        continue;
      }
      const auto [found, unseen] = session_ms.try_emplace(hunt.judged(), 0.0);
      if (unseen) {
        found->second = measure(hunt.judged()).ms;
      }
      if (hunt.observe(found->second) && hunt.open()) {
        hunt.choose(measure, progress);
      }
    }
  }
}

}  // namespace

Verdict Winner::verdict_at(double slower_target_ms) const {
  if (holds() || judged_ms.empty()) return verdict;
  measure::LimitEvidence evidence;
  for (const double ms : judged_ms) evidence.observe(ms <= slower_target_ms);
  return evidence.verdict(alpha);
}

double median_ms(const space::Arch& arch, double limit_ms, const MeasureFn& measure) {
  std::array<double, 3> sessions{measure(arch), measure(arch), 0.0};
  if ((sessions[0] <= limit_ms) == (sessions[1] <= limit_ms)) {
    return (sessions[0] + sessions[1]) / 2;
  }
  sessions[2] = measure(arch);
  std::sort(sessions.begin(), sessions.end());
  return sessions[1];
}

double guarded_ms(double target_ms, double deviation) {
  return target_ms / (1 + kNineOfTen * deviation);
}

std::vector<Winner> find_winners(std::span<const search::TargetResult> targets,
                                 const std::vector<search::Candidate>& front,
                                 const WinnerOptions& options, const SessionFn& measure,
                                 const ProgressFn& progress) {
  std::vector<Hunt> hunts;
  for (const search::TargetResult& target : targets) {
    if (!target.feasible || target.candidates.empty()) {
      throw std::invalid_argument("[run::find_winners] each target must have a candidate");
    }
    hunts.emplace_back(target, front, options, options.alpha / static_cast<double>(targets.size()));
    hunts.back().choose(measure, progress);
  }
  judge_all(hunts, options, measure, progress);
  std::vector<Winner> winners;
  for (const Hunt& hunt : hunts) {
    winners.push_back(hunt.winner());
  }
  return winners;
}

}  // namespace lathe::run
