// Stage: an answer measured anew, tested, and written for use elsewhere.
#pragma once

#include <functional>
#include <vector>

#include "lathe/run/answers/answers.h"
#include "lathe/run/result.h"

namespace lathe::run {

/// The sessions that judged a candidate and those of what is handed over: three, and where they
/// leave the verdict at error `alpha` undecided, as many more as it takes, up to
/// kMostSessions in all. `session`: one more, in ms.
std::vector<double> more_sessions(std::vector<double> judged_ms, double target_ms, double alpha,
                                  const std::function<double()>& session);

/// Measures the answer as it is handed over, by more_sessions(), on pixels, in sessions that had no
/// part in choosing it, reads the test set, and writes the target's folder (save_all_formats(), and
/// in 8 bits where the options say so), target.json last, so that a folder that has it is complete
/// and is taken as it is, unless its nets are of a version that took no pixels. An answer that is a
/// faster target's too has that one's figures, which are in `before`.
TargetResult hand_over(const Workshop& shop, const Answer& answer,
                       const std::vector<TargetResult>& before = {});

}  // namespace lathe::run
