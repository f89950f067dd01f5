// What is claimed of an answer's latency, and everything that the claim rests on.
#pragma once

#include <nlohmann/json.hpp>

#include "lathe/run/answers/answers.h"
#include "lathe/run/result.h"

namespace lathe::run {

/// `{"claim": for people, "target_ms", "quantile", "verdict", "alpha", "confidence", "date",
/// "device": the runner's fingerprint, "machine": measure::machine_conditions(), "timing": of a
/// session, "session_ms": none of which chose the net, "median_ms", "again95_ms": where another
/// session falls 19 times of 20, "reported": by the runner, beside time, "chance_again",
/// "deviation", "sentinels": nets that, timed again (lathe verify), say whether this applies}`.
nlohmann::ordered_json certificate(const Workshop& shop, const TargetResult& target);

}  // namespace lathe::run
