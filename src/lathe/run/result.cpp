#include "lathe/run/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "lathe/core/file.h"
#include "lathe/core/number_text.h"
#include "lathe/core/statistics.h"

namespace lathe::run {

namespace {

measure::LimitEvidence evidence(const TargetResult& target) {
  measure::LimitEvidence evidence;
  for (const double ms : target.session_ms) {
    evidence.observe(ms <= target.target_ms);
  }
  return evidence;
}

const char* answer_word(const TargetResult& target) {
  if (!target.within_limits) {
    return "NO";
  }
  switch (target.verdict) {
    case measure::Verdict::kWithin:
      return "yes";
    case measure::Verdict::kAbove:
      return "NO";
    default:
      return "undecided";
  }
}

/// On the validation and the test images, as the net is used, and in float32 if it isn't so.
std::string accuracy_columns(const TargetResult& target) {
  const auto column = [](double accuracy) { return fmt::format("{:>9.2f}% | ", 100 * accuracy); };
  return target.int8 ? column(target.int8->validation_accuracy) +
                           column(target.int8->test_accuracy) + column(target.test_accuracy)
                     : column(target.validation_accuracy) + column(target.test_accuracy);
}

/// What the runner said beside the time; empty if it said nothing.
std::string reported_text(const TargetResult& target) {
  std::string text;
  const auto add = [&](const std::optional<double>& amount, const char* unit) {
    if (amount) {
      text += fmt::format("; {:.4g} {}", *amount, unit);
    }
  };
  add(target.reported.compute_ms, "ms without transfers");
  add(target.reported.energy_mj, "mJ");
  add(target.reported.device_memory_mb, "MB on the device");
  return target.within_limits ? text : text + ", above a limit";
}

}  // namespace

double TargetResult::chance_again() const {
  const measure::LimitEvidence seen = evidence(*this);
  return seen.sessions() == 0 ? 0.0 : measure::chance_of_next(seen.within(), seen.sessions());
}

void judge(TargetResult& target) {
  target.measured_ms = median(target.session_ms);
  target.verdict = evidence(target).verdict(target.alpha);
  target.within_target = target.verdict == measure::Verdict::kWithin && target.within_limits;
}

nlohmann::ordered_json to_json(const TargetResult& t) {
  nlohmann::ordered_json json{{"target_ms", t.target_ms}, {"feasible", t.feasible}};
  if (!t.feasible) {
    if (std::isfinite(t.minimum_ms)) {
      json["minimum_ms"] = t.minimum_ms;
    } else {
      json["minimum_ms"] = nullptr;  // no net is within the limits
    }
    return json;
  }
  json["predicted_ms"] = t.predicted_ms;
  json["measured_ms"] = t.measured_ms;
  json["measured_p90_ms"] = t.measured_p90_ms;
  if (!t.session_ms.empty()) {
    json["session_ms"] = t.session_ms;
    json["chance_again"] = t.chance_again();
  }
  json["verdict"] = measure::to_string(t.verdict);
  json["alpha"] = t.alpha;
  json["within_target"] = t.within_target;
  if (!t.within_limits) {
    json["within_limits"] = false;
  }
  if (const nlohmann::ordered_json reported = measure::to_json(t.reported); !reported.empty()) {
    json["reported"] = reported;
  }
  json["predicted_accuracy"] = t.predicted_accuracy;
  json["validation_accuracy"] = t.validation_accuracy;
  json["test_accuracy"] = t.test_accuracy;
  if (t.int8) {
    json["int8"] = {{"validation_accuracy", t.int8->validation_accuracy},
                    {"test_accuracy", t.int8->test_accuracy},
                    {"model", t.int8->model}};
  }
  json["macs"] = t.macs;
  json["params"] = t.params;
  json["input_size"] = t.input_size;
  json["trained"] = t.trained;
  if (t.same_as_ms) {
    json["same_as_ms"] = *t.same_as_ms;
  }
  json["replaced_ms"] = t.replaced_ms;
  json["arch"] = t.arch;
  json["dir"] = t.dir;
  return json;
}

TargetResult target_result_from_json(const nlohmann::json& json, const std::string& where) {
  TargetResult t;
  t.target_ms = json_member<double>(json, "target_ms", where);
  t.feasible = json_member<bool>(json, "feasible", where);
  if (!t.feasible) {
    t.minimum_ms = json_member<double>(json, "minimum_ms", where);
    return t;
  }
  t.predicted_ms = json_member<double>(json, "predicted_ms", where);
  t.measured_ms = json_member<double>(json, "measured_ms", where);
  t.measured_p90_ms = json_member<double>(json, "measured_p90_ms", where);
  if (json.contains("session_ms")) {
    t.session_ms = json_member<std::vector<double>>(json, "session_ms", where);
  }
  t.within_target = json_member<bool>(json, "within_target", where);
  t.within_limits = !json.contains("within_limits");
  if (json.contains("reported")) {
    t.reported = measure::reported_from_json(json.at("reported"), where + ": reported");
  }
  if (json.contains("verdict")) {
    t.verdict =
        measure::verdict_from_string(json_member<std::string>(json, "verdict", where), where);
    t.alpha = json_member<double>(json, "alpha", where);
  } else {  // an older version's
    t.verdict = t.within_target ? measure::Verdict::kWithin : measure::Verdict::kAbove;
  }
  t.predicted_accuracy = json_member<double>(json, "predicted_accuracy", where);
  t.validation_accuracy = json_member<double>(json, "validation_accuracy", where);
  t.test_accuracy = json_member<double>(json, "test_accuracy", where);
  if (json.contains("int8")) {
    const auto& int8 = json.at("int8");
    t.int8 = {.validation_accuracy = json_member<double>(int8, "validation_accuracy", where),
              .test_accuracy = json_member<double>(int8, "test_accuracy", where),
              .model = json_member<std::string>(int8, "model", where)};
  }
  t.macs = json_member<std::int64_t>(json, "macs", where);
  t.params = json_member<std::int64_t>(json, "params", where);
  t.input_size = json_member<int>(json, "input_size", where);
  t.trained = json_member<std::string>(json, "trained", where);
  if (json.contains("same_as_ms")) {
    t.same_as_ms = json_member<double>(json, "same_as_ms", where);
  }
  t.replaced_ms = json_member<std::vector<double>>(json, "replaced_ms", where);
  t.arch = json_member<nlohmann::json>(json, "arch", where);
  t.dir = json_member<std::string>(json, "dir", where);
  return t;
}

nlohmann::ordered_json to_json(const RunResult& result) {
  nlohmann::ordered_json targets = nlohmann::ordered_json::array();
  for (const TargetResult& target : result.targets) {
    targets.push_back(to_json(target));
  }
  nlohmann::ordered_json json{
      {"dataset", result.dataset},
      {"device", latency::to_json(result.device)},
      {"quantile", result.quantile},
      {"confidence", result.confidence},
      {"latency_model", latency::to_json(result.latency_error)},
      {"accuracy_predictor",
       {{"samples", result.accuracy_samples},
        {"rmse", result.accuracy_rmse},
        {"kendall", result.accuracy_kendall}}},
      {"search", {{"evaluations", result.search_evaluations}, {"seconds", result.search_seconds}}},
      {"seconds", result.seconds}};
  nlohmann::ordered_json input = to_json(result.input);
  input.erase("input_size");  // each target has its own
  json.update(input);
  json["targets"] = std::move(targets);
  return json;
}

std::string result_table(const RunResult& result) {
  const bool int8 = std::ranges::any_of(result.targets, [](const auto& t) { return !!t.int8; });
  std::string text =
      fmt::format("{:>9} | {:>12} | {:>11} | {:>7} | {:>14} | {:>10} | {:>10} | {}{:>7} | {:>8}\n",
                  "target ms", "predicted ms", "measured ms", "p90 ms", "within target?",
                  "validation", "test top-1", int8 ? "in float32 | " : "", "MMACs", "params");
  std::string notes =
      int8 ? "latencies, validation and test top-1 are those of the nets in int8\n" : "";
  std::size_t feasible = 0, same = 0;
  for (const TargetResult& t : result.targets) {
    if (!t.feasible) {
      text +=
          std::isfinite(t.minimum_ms)
              ? fmt::format("{:>9.3f} | infeasible: the minimum reachable is {} ms\n", t.target_ms,
                            text_rounded_up(t.minimum_ms, 3))
              : fmt::format("{:>9.3f} | infeasible: no net is within the limits\n", t.target_ms);
      continue;
    }
    ++feasible;
    text +=
        fmt::format("{:>9.3f} | {:>12.3f} | {:>11.3f} | {:>7.3f} | {:>14} | {}{:>7.2f} | {:>8}\n",
                    t.target_ms, t.predicted_ms, t.measured_ms, t.measured_p90_ms, answer_word(t),
                    accuracy_columns(t), static_cast<double>(t.macs) / 1e6, t.params);
    if (t.same_as_ms) {
      ++same;
      notes += fmt::format("target {:.3f} ms: the net of {:.3f} ms, no slower one was better\n",
                           t.target_ms, *t.same_as_ms);
    } else {
      notes +=
          fmt::format("target {:.3f} ms: trained {}{}\n", t.target_ms, t.trained, reported_text(t));
      for (double replaced : t.replaced_ms) {
        notes +=
            fmt::format("target {:.3f} ms: a better candidate measured at {:.3f} ms was replaced\n",
                        t.target_ms, replaced);
      }
    }
  }
  if (result.quantile != 0.5) {
    notes += fmt::format("targets, predicted and measured ms are p{:g} of a session's runs\n",
                         100 * result.quantile);
  }
  if (feasible > 1 && same + 1 == feasible) {
    notes +=
        "one net is the answer to every target: more time, or slower targets, would change that\n";
  }
  return text + notes;
}

}  // namespace lathe::run
