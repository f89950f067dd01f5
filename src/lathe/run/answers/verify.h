// Whether what was certified still holds: sentinels and answers timed again, later.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lathe/core/progress.h"
#include "lathe/measure/benchmark.h"
#include "lathe/measure/verdict.h"
#include "lathe/run/options.h"

namespace lathe::run {

/// An answer's latency then and now, at the quantile of its certificate.
struct VerifiedTarget {
  double target_ms = 0;
  measure::Verdict then = measure::Verdict::kUndecided;
  double then_ms = 0;
  double chance_again = 0;         ///< that was stated of a session
  measure::IntervalMs again95_ms;  ///< that was stated of a session
  std::vector<double> session_ms;  ///< now
  double now_ms = 0;               ///< their median
  measure::Verdict now = measure::Verdict::kUndecided;
  bool as_stated = false;  ///< now_ms is within again95_ms
};

struct Verification {
  double slowdown = 1;  ///< of the sentinels, now over then: whether the device is what it was
  std::vector<VerifiedTarget> targets;
};

struct VerifyOptions {
  MakeRunnerFn make_runner;
  std::string space_file;    ///< of answers of a space that is not built in; empty: the folder's
  int sessions = 15;         ///< of each net, in turns
  double confidence = 0.95;  ///< of all verdicts together
};

/// Times the answers of a finished folder of `lathe run` or `lathe specialize` and their sentinels
/// again, as their certificates say. Nothing is written.
/// @throws Error naming the file if the folder has no certificates, they are not of one run, or the
/// runner is not what they are of, with the difference; std::invalid_argument if sessions < 2.
Verification verify(const std::filesystem::path& root, const VerifyOptions& options,
                    const ProgressFn& progress);

nlohmann::ordered_json to_json(const Verification& verification);
/// A line a target, and what the sentinels say.
std::string verification_table(const Verification& verification);

}  // namespace lathe::run
