// From targets' candidates to the ones that hold them, measured.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "lathe/core/progress.h"
#include "lathe/measure/verdict.h"
#include "lathe/search/search_targets.h"

namespace lathe::run {

/// The candidate that a target's answer is made of.
struct Winner {
  search::Candidate candidate;
  /// Of the sessions below.
  measure::Verdict verdict = measure::Verdict::kUndecided;
  double alpha = 0;  ///< the verdict's error, this target's and this try's share
  /// What the candidate took in the sessions that judged it; none of them chose it.
  std::vector<double> judged_ms;
  /// Medians of better candidates that were not accepted.
  std::vector<double> replaced_ms;

  bool holds() const { return verdict == measure::Verdict::kWithin; }

  /// What the same sessions say of a slower target, at the same error: of the targets that a net
  /// misses, one is wrong about the slowest whenever one is wrong about any, so that all of them
  /// cost no more than one.
  measure::Verdict verdict_at(double slower_target_ms) const;
};

/// How long a net takes in one session, prepared anew.
using MeasureFn = std::function<double(const space::Arch&)>;

/// What one session says of a net.
struct Session {
  // NOLINTNEXTLINE(google-explicit-constructor): most sessions are nothing but a time.
  Session(double time_ms, double share = 0) : ms(time_ms), limit_share(share) {}
  double ms;
  /// Of the limits beside latency the one that is used most: above 1 it is not kept.
  double limit_share;
};
using SessionFn = std::function<Session(const space::Arch&)>;

/// Sessions that judge a candidate, at most, before it is left undecided.
inline constexpr int kMostSessions = 40;

struct WinnerOptions {
  int attempts = 12;        ///< candidates measured per target before giving up
  double alpha = 0.05;      ///< the chance that any target's verdict is wrong
  double deviation = 0.01;  ///< of a net's sessions on this device, relative
  int most_sessions = kMostSessions;
  /// Called before each turn of judging sessions.
  std::function<void()> renew = [] {};
  /// Whether the device is slower right now than it is otherwise. Asked when a session that helps
  /// to choose is clearly above the limit; if so, that session is repeated.
  std::function<bool()> disturbed = [] { return false; };
};

/// The middle one of three sessions, so that a burst in one doesn't decide; of two that agree on
/// which side of the limit it is, their mean.
double median_ms(const space::Arch& arch, double limit_ms, const MeasureFn& measure);

/// What a candidate may take when it is chosen, so that nine of ten sessions that follow keep the
/// target: the guard band is what this device's sessions differ by, and no more.
double guarded_ms(double target_ms, double deviation);

/// For each target the first candidate, best first, that holds it. Two steps, with sessions of
/// their own:
/// - it is chosen: the median of three sessions is within guarded_ms(); a burst that lasts longer
///   than that is told by `disturbed`. After one that
///   isn't, those are passed over that the ratios of measured to predicted latency seen so far
///   (shrunk towards 1) put above it;
///   those that don't keep a limit beside latency are never chosen, unless there are no others;
///   `front` supplies faster ones. When only such are left, the fastest of them is tried last.
/// - it is judged by new sessions, as many as a verdict takes (measure::LimitEvidence), in turns
///   with the other targets' candidates. A net that is not found to be within makes room for the
///   next; where there is none, candidates within the target but not the guard band are judged,
///   and at last the fastest.
/// The error `alpha` is shared by the targets alike, and by the tries of one as 1/2, 1/4, ... : the
/// chance that any of the verdicts kWithin is wrong is at most alpha. If no candidate of a target
/// holds, its winner is the one with the most evidence of it.
/// @throws std::invalid_argument if a target is infeasible.
std::vector<Winner> find_winners(std::span<const search::TargetResult> targets,
                                 const std::vector<search::Candidate>& front,
                                 const WinnerOptions& options, const SessionFn& measure,
                                 const ProgressFn& progress);

}  // namespace lathe::run
