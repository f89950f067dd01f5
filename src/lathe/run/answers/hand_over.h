// Stage: an answer measured anew, tested, and written for use elsewhere.
#pragma once

#include <vector>

#include "lathe/run/answers/answers.h"
#include "lathe/run/result.h"

namespace lathe::run {

/// Measures the answer as it is handed over, on pixels, in sessions that had no part in choosing
/// it, reads the test set, and writes the target's folder (save_all_formats(), and in 8 bits where
/// the options say so), target.json last, so that a folder that has it is complete and is taken as
/// it is, unless its nets are of a version that took no pixels. An answer that is a faster target's
/// too has that one's figures, which are in `before`.
TargetResult hand_over(const Workshop& shop, const Answer& answer,
                       const std::vector<TargetResult>& before = {});

}  // namespace lathe::run
