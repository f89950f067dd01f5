// The tables and the picture of many supernets.
#pragma once

#include <string>
#include <vector>

#include "judged_run.h"

namespace lathe::bench {

enum class Cost { kMacs, kLatency };

/// A row a run, and a row a method with means and standard deviations over its runs: of the best
/// nets by that cost.
std::string table(const std::vector<JudgedRun>& runs, Cost cost);

/// Test top-1 over measured latency, a point for each bucket of a method: the mean over its runs.
std::string figure_svg(const std::vector<JudgedRun>& runs);

}  // namespace lathe::bench
