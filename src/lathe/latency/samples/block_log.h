// Blocks timed one at a time, and the file that they are collected in.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "lathe/latency/models/block_table.h"
#include "lathe/latency/samples/measurement_log.h"

namespace lathe::latency {

/// One block, timed alone in several turns.
struct BlockMeasurement {
  std::string key;                ///< space::Block::key()
  std::vector<double> turns_ms;   ///< the median of each turn
  std::vector<double> anchor_ms;  ///< the anchor block's, of the same turns; may be empty
  bool operator==(const BlockMeasurement&) const = default;
};

/// A MeasurementLog of blocks: `{"block": key, "turns_ms": [...], "anchor_ms": [...]}`.
class BlockLog {
 public:
  /// @throws Error as MeasurementLog, or naming the line whose block is none of the space, or
  /// whose times are missing or not > 0.
  BlockLog(const std::filesystem::path& path, const space::Space& space,
           const Fingerprint& fingerprint);

  /// Those already in the file and those appended since.
  const std::vector<BlockMeasurement>& measurements() const { return measurements_; }

  /// @throws std::invalid_argument if there are no turns or a time is not > 0; Error if the file
  /// can't be written.
  void append(const BlockMeasurement& measurement);

 private:
  MeasurementLog log_;
  std::vector<BlockMeasurement> measurements_;
};

/// The table of these blocks: of each the median of its turns, corrected for drift (drift_factors);
/// of a block that was measured more than once, the median of that. No bias.
BlockCosts block_costs(const Fingerprint& fingerprint,
                       std::span<const BlockMeasurement> measurements);

}  // namespace lathe::latency
