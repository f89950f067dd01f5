#include "lathe/measure/verdict.h"

#include <stdexcept>
#include <string>

#include "lathe/core/error.h"

namespace lathe::measure {
namespace {

/// Integral over chances p from 1/2 to 1, each as likely, of what betting on p makes of 1 in `n`
/// fair games of which `k` were won: sum of C(n + 1, j) for j <= k, over (n + 1) C(n, k).
double evidence(int k, int n) {
  // Both in units of C(n + 1, k), which is no double for large n: C(n, k) is (n + 1 - k) / (n + 1)
  // of it.
  double sum = 0;
  double term = 1;  // C(n + 1, j) / C(n + 1, k)
  for (int j = k; j >= 0 && term > 0; --j) {
    sum += term;
    term *= static_cast<double>(j) / static_cast<double>(n + 2 - j);
  }
  return sum / static_cast<double>(n + 1 - k);
}

}  // namespace

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kWithin:
      return "within";
    case Verdict::kAbove:
      return "above";
    default:
      return "undecided";
  }
}

Verdict verdict_from_string(const std::string& name, const std::string& where) {
  for (const Verdict verdict : {Verdict::kWithin, Verdict::kUndecided, Verdict::kAbove}) {
    if (name == to_string(verdict)) {
      return verdict;
    }
  }
  throw Error(where + ": \"verdict\": expected within, undecided or above, got \"" + name + "\"");
}

void LimitEvidence::observe(bool within) {
  ++sessions_;
  within_ += within ? 1 : 0;
}

double LimitEvidence::evidence_within() const { return evidence(within_, sessions_); }

double LimitEvidence::evidence_above() const { return evidence(sessions_ - within_, sessions_); }

Verdict LimitEvidence::verdict(double alpha) const {
  if (!(alpha > 0 && alpha < 1)) {
    throw std::invalid_argument("[LimitEvidence::verdict] alpha must be within (0, 1), got " +
                                std::to_string(alpha));
  }
  if (alpha * evidence_within() >= 1) {
    return Verdict::kWithin;
  }
  return alpha * evidence_above() >= 1 ? Verdict::kAbove : Verdict::kUndecided;
}

double chance_of_next(int within, int sessions) { return (within + 1.0) / (sessions + 2.0); }

}  // namespace lathe::measure
