#include "lathe/run/answers/certificate.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <string>

#include "lathe/measure/benchmark.h"
#include "lathe/measure/collect.h"
#include "lathe/measure/machine.h"
#include "lathe/space/subspace.h"

namespace lathe::run {
namespace {

std::string claim(const Workshop& shop, const TargetResult& target) {
  const std::string subject =
      shop.options.quantile == 0.5
          ? std::string("the median of a session's runs")
          : fmt::format("p{:g} of a session's runs", 100 * shop.options.quantile);
  const std::string limit = fmt::format("{} ms", target.target_ms);
  switch (target.verdict) {
    case measure::Verdict::kWithin:
      return fmt::format("{} is within {} in more than half of sessions (error at most {:.2g})",
                         subject, limit, target.alpha);
    case measure::Verdict::kAbove:
      return fmt::format("{} is above {} in at least half of sessions (error at most {:.2g})",
                         subject, limit, target.alpha);
    default:
      return fmt::format("undecided whether {} is within {} in more than half of sessions", subject,
                         limit);
  }
}

nlohmann::ordered_json sentinels(const Workshop& shop) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Sentinel& sentinel : shop.noise.sentinels) {
    json.push_back({{"arch", space::whole_of(*shop.trained.space).to_json(sentinel.arch)},
                    {"session_ms", sentinel.session_ms}});
  }
  return json;
}

}  // namespace

nlohmann::ordered_json certificate(const Workshop& shop, const TargetResult& target) {
  const measure::IntervalMs again = measure::again95_interval(target.session_ms);
  const measure::TimingOptions timing =
      session_timing(shop.options.winner_timing, shop.options.quantile);
  return {{"claim", claim(shop, target)},
          {"target_ms", target.target_ms},
          {"quantile", shop.options.quantile},
          {"verdict", measure::to_string(target.verdict)},
          {"alpha", target.alpha},
          {"confidence", shop.options.confidence},
          {"date",
           fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(
                                                    std::chrono::system_clock::now())))},
          {"device", latency::to_json(
                         measure::fingerprint(shop.runner, space::whole_of(*shop.trained.space)))},
          {"machine", measure::machine_conditions()},
          {"timing",
           {{"warmup_runs", timing.warmup_runs},
            {"rounds", timing.rounds},
            {"runs_per_round", timing.runs_per_round},
            {"round_ms", timing.round_ms}}},
          {"session_ms", target.session_ms},
          {"median_ms", target.measured_ms},
          {"again95_ms", {again.first, again.second}},
          {"reported", measure::to_json(target.reported)},
          {"chance_again", target.chance_again()},
          {"deviation", shop.noise.deviation},
          {"sentinels", sentinels(shop)}};
}

}  // namespace lathe::run
