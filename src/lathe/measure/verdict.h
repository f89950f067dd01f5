// Whether a net keeps its limit, decided session by session, with a stated error.
#pragma once

#include <string>

namespace lathe::measure {

/// What sessions have shown so far.
enum class Verdict {
  kWithin,     ///< a session keeps the limit more often than not
  kUndecided,  ///< both are possible
  kAbove,      ///< it misses the limit more often than not
};

/// "within", "undecided" or "above".
const char* to_string(Verdict verdict);
/// @throws Error `<where>: ...` if `name` is none of them.
Verdict verdict_from_string(const std::string& name, const std::string& where);

/// What sessions say of "the chance that a session keeps the limit, given all before it, is above
/// 1/2": that the median session does, where they are alike.
///
/// Anytime-valid: the evidence is a bet against the opposite, an even mixture of all chances from
/// 1/2 to 1, so that the probability that it *ever* reaches 1/a while the opposite is true is at
/// most a (Ville's inequality), however long one looks and whenever one stops. Sessions need not be
/// independent: a machine that drifts only has to be right about the next one. Sessions that chose
/// the net may not be among them. Twelve sessions that all keep the limit make 630 of evidence.
class LimitEvidence {
 public:
  void observe(bool within);

  int sessions() const { return sessions_; }
  int within() const { return within_; }
  /// That sessions keep the limit, against their missing it at least as often; 1 before the first.
  double evidence_within() const;
  /// The other way round.
  double evidence_above() const;
  /// What is shown at error `alpha` for either verdict. @throws std::invalid_argument unless
  /// `alpha` is within (0, 1).
  Verdict verdict(double alpha) const;

 private:
  int sessions_ = 0;
  int within_ = 0;
};

/// The chance that the next of alike sessions keeps the limit, by Laplace's rule: (k + 1) / (n +
/// 2).
double chance_of_next(int within, int sessions);

}  // namespace lathe::measure
