// What whole nets say of sums over blocks, kept with the table that was fitted to them.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "lathe/latency/models/stored_model.h"

namespace lathe::latency {

/// The least-squares system of a fitted table, without its latencies.
struct BlockEvidence {
  std::vector<std::string> keys;        ///< blocks of the samples
  std::vector<std::vector<int>> nets;   ///< each sample's blocks, as positions in `keys`
  std::vector<double> weights_per_ms2;  ///< of each sample
  double penalty_per_ms2 = 0.0;         ///< of each coefficient's distance to its prior
  double noise = 0.0;                   ///< relative standard deviation of a sample
  bool operator==(const BlockEvidence&) const = default;
};

/// For nets given by their blocks' keys. One factorisation, O(blocks^3), and O(blocks^2) a net.
/// @throws std::invalid_argument if sizes disagree, a position is out of range, or a weight or the
/// penalty is not finite and > 0 (weights: >= 0).
std::vector<Certainty> certainty(const BlockEvidence& evidence,
                                 std::span<const std::vector<std::string>> nets);

/// Each net as one string of positions: a file of few lines.
nlohmann::ordered_json to_json(const BlockEvidence& evidence);
/// @throws Error `<where>: ...` naming a member that is missing, of another type, or out of range.
BlockEvidence block_evidence_from_json(const nlohmann::json& json, const std::string& where);

}  // namespace lathe::latency
