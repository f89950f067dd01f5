// What a run answers.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/latency/block_table.h"
#include "lathe/run/net_input.h"

namespace lathe::run {

/// The answer for one latency target. Accuracies are fractions.
struct TargetResult {
  double target_ms = 0;
  bool feasible = true;
  double minimum_ms = 0;  ///< infeasible: the least latency that is reachable
  double predicted_ms = 0;
  double measured_ms = 0;  ///< median, of the net that is handed over
  double measured_p90_ms = 0;
  /// Medians of the sessions that it was measured in; none in results of older versions.
  std::vector<double> session_ms;
  bool within_target = false;  ///< measured_ms <= target_ms
  /// By the predictor and the validation images together, before it was trained on alone; of one
  /// net that was trained alone its validation accuracy.
  double predicted_accuracy = 0;
  double validation_accuracy = 0;  ///< of the net handed over; these images had a part in choosing
  double test_accuracy = 0;        ///< of images that nothing else looked at
  std::int64_t macs = 0;
  std::int64_t params = 0;
  int input_size = 0;                ///< height and width of the net's input
  std::string trained;               ///< how its weights came about, for people
  std::optional<double> same_as_ms;  ///< the faster target whose net this is too
  /// Measured medians of candidates that were tried before, and were above the target.
  std::vector<double> replaced_ms;
  nlohmann::ordered_json arch;
  std::string dir;  ///< relative to the run's folder
};

struct RunResult {
  std::string dataset;
  NetInput input;  ///< of every net, but for its size
  latency::Fingerprint device;
  latency::ModelError latency_error;  ///< of the block table
  double accuracy_rmse = 0;           ///< of the predictor, on held-out subnets; 0: none was needed
  double accuracy_kendall = 0;
  int accuracy_samples = 0;
  std::int64_t search_evaluations = 0;
  double search_seconds = 0;
  double seconds = 0;  ///< of the call that ended the run
  std::vector<TargetResult> targets;
};

nlohmann::ordered_json to_json(const TargetResult& target);
/// @throws Error `<where>: ...` naming the member at fault.
TargetResult target_result_from_json(const nlohmann::json& json, const std::string& where);
nlohmann::ordered_json to_json(const RunResult& result);

/// The final table as text, one line a target, with notes on replaced winners and infeasible
/// targets below.
std::string result_table(const RunResult& result);

}  // namespace lathe::run
