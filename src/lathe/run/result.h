// What a run answers.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/measure/reported.h"
#include "lathe/measure/verdict.h"
#include "lathe/run/answers/net_input.h"

namespace lathe::run {

/// The net of an answer in 8 bits, which is what was measured then.
struct Int8Result {
  double validation_accuracy = 0;
  double test_accuracy = 0;
  std::string model;  ///< in the answer's folder
};

/// The answer for one latency target. Accuracies are fractions, of the net in float32.
struct TargetResult {
  double target_ms = 0;
  bool feasible = true;
  double minimum_ms = 0;  ///< infeasible: the least latency that is reachable
  double predicted_ms = 0;
  /// The median of session_ms.
  double measured_ms = 0;
  double measured_p90_ms = 0;  ///< of all runs of the sessions that timed what is handed over
  /// What it took in each session, at the run's quantile: those that judged it, and those of the
  /// net that is handed over. None of them chose it. None at all in results of older versions.
  std::vector<double> session_ms;
  /// What they say of the target, where the run as a whole errs as seldom as it states.
  measure::Verdict verdict = measure::Verdict::kUndecided;
  double alpha = 0;            ///< the verdict's own error
  measure::Reported reported;  ///< by the runner, of the net that is handed over
  bool within_limits = true;   ///< of energy and device memory, where there are any
  bool within_target = false;  ///< verdict == kWithin, and within_limits
  /// By the predictor and the validation images together, before it was trained on alone; of one
  /// net that was trained alone its validation accuracy.
  double predicted_accuracy = 0;
  double validation_accuracy = 0;  ///< of the net handed over; these images had a part in choosing
  double test_accuracy = 0;        ///< of images that nothing else looked at
  std::optional<Int8Result> int8;  ///< of a run in 8 bits
  std::int64_t macs = 0;
  std::int64_t params = 0;
  int input_size = 0;                ///< height and width of the net's input
  std::string trained;               ///< how its weights came about, for people
  std::optional<double> same_as_ms;  ///< the faster target whose net this is too
  /// Measured medians of candidates that were tried before, and were above the target.
  std::vector<double> replaced_ms;
  nlohmann::ordered_json arch;
  std::string dir;  ///< relative to the run's folder

  /// The chance that another session is within the target, as long as the device stays as it was
  /// (measure::chance_of_next); 0 without sessions.
  double chance_again() const;
};

struct RunResult {
  std::string dataset;
  NetInput input;  ///< of every net, but for its size
  latency::Fingerprint device;
  double quantile = 0.5;              ///< of a session's runs that targets and latencies are about
  double confidence = 0.95;           ///< that all answers said to be within their targets are
  latency::ModelError latency_error;  ///< of the block table
  double accuracy_rmse = 0;           ///< of the predictor, on held-out subnets; 0: none was needed
  double accuracy_kendall = 0;
  int accuracy_samples = 0;
  std::int64_t search_evaluations = 0;
  double search_seconds = 0;
  double seconds = 0;  ///< of the call that ended the run
  std::vector<TargetResult> targets;
};

/// Counts the sessions and sets what follows from them: the verdict, the median.
void judge(TargetResult& target);

nlohmann::ordered_json to_json(const TargetResult& target);
/// @throws Error `<where>: ...` naming the member at fault.
TargetResult target_result_from_json(const nlohmann::json& json, const std::string& where);
nlohmann::ordered_json to_json(const RunResult& result);

/// The final table as text, one line a target, with notes on replaced winners and infeasible
/// targets below. Of a run in 8 bits, accuracies are the int8 nets', with a column of float32's.
std::string result_table(const RunResult& result);

}  // namespace lathe::run
