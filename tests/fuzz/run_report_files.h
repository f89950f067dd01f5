// The files of a run's folder that run_report's fuzzer makes hostile, by the byte that its input
// begins with.
#pragma once

#include <array>

#include "report/run_folders.h"

namespace lathe::testing {

inline constexpr std::array kHostileRunFiles{"result.json",      "train.json",  "metrics.jsonl",
                                             "candidates.jsonl", "config.toml", "plan.json",
                                             "genotype.json"};

}  // namespace lathe::testing
