// A net that a search has looked at.
#pragma once

#include "lathe/space/arch.h"

namespace lathe::search {

/// A net whose latency is known, its accuracy not yet.
struct TimedArch {
  space::Arch arch;  ///< canonical
  double predicted_ms = 0.0;
  bool operator==(const TimedArch&) const = default;
};

struct Candidate {
  space::Arch arch;  ///< canonical
  double predicted_ms = 0.0;
  double predicted_accuracy = 0.0;  ///< a fraction
  bool operator==(const Candidate&) const = default;
};

/// Whether `a` comes before `b` in every ranking: more accurate, then faster, then by the arch's
/// choices, so that rankings are the same on every run.
bool better(const Candidate& a, const Candidate& b);

}  // namespace lathe::search
