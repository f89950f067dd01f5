// The nets of a run that were evaluated, with what was predicted and measured of each.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/report/run_files.h"
#include "lathe/report/run_spaces.h"

namespace lathe::report {

/// Gathers nets, each once, under the number that it has in list().
class NetRecord {
 public:
  /// `latency` and `accuracy` may be null. All must outlive this.
  NetRecord(RunFiles& files, const RunSpaces& spaces, const latency::LatencyModel* latency,
            const accuracy::AccuracyPredictor* accuracy);

  /// The subnets of a file that accuracy::SampleLog wrote. `sampled`: those that the accuracy
  /// predictor was fitted to. At most 300 of them, evenly.
  void add_evaluated(const std::string& file, RunFiles& in, bool sampled);
  /// An answer of the run by its arch's JSON; its number, -1 if the space doesn't have it.
  int add_answer(const nlohmann::json& arch);

  /// `[{"arch", "macs", "params", "predicted_ms", "predicted_accuracy", "validation_accuracy",
  /// "sampled", "answer", "picture": net_picture()}, ...]`: what is known of each; "front" of those
  /// that no other is both as fast, by prediction, and as accurate, on the validation images, as.
  nlohmann::ordered_json list() const;

 private:
  int add(const nlohmann::json& arch);
  nlohmann::ordered_json described(const space::Arch& arch) const;
  void mark_front(nlohmann::ordered_json& nets) const;

  RunFiles& files_;
  const RunSpaces& spaces_;
  const latency::LatencyModel* latency_;
  const accuracy::AccuracyPredictor* accuracy_;
  std::map<space::Arch, int> numbers_;
  nlohmann::ordered_json nets_ = nlohmann::ordered_json::array();
};

}  // namespace lathe::report
