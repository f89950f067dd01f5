// Latency as a sum over blocks.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "lathe/latency/calibrate.h"
#include "lathe/latency/fingerprint.h"
#include "lathe/latency/latency_model.h"
#include "lathe/latency/validation.h"
#include "lathe/space/space.h"

namespace lathe::latency {

/// What a block table knows, wherever it comes from: blocks timed one at a time, whole nets
/// explained by least squares, or an imported table.
struct BlockCosts {
  Fingerprint fingerprint;
  double bias_ms = 0.0;                           ///< what a net costs beyond its blocks
  std::map<std::string, double> coefficients_ms;  ///< by space::Block::key()
  std::optional<ModelError> validation;           ///< against whole nets, if it was validated
  bool operator==(const BlockCosts&) const = default;
};

/// latency = bias + sum of the coefficients of the net's blocks.
class BlockTable : public LatencyModel {
 public:
  /// `space` must outlive the table. O(distinct blocks of the space), about a millisecond.
  /// @throws std::invalid_argument if the bias is not finite, or a coefficient not finite or
  /// negative.
  BlockTable(const space::Space& space, BlockCosts costs);
  BlockTable(space::Space&&, BlockCosts) = delete;

  using LatencyModel::predict_ms;
  /// @throws Error naming the block if the table has no coefficient for one of the net's;
  /// std::invalid_argument if `arch` is none of the space. Takes about the time of
  /// space.blocks(arch).
  double predict_ms(const space::Arch& arch) const override;
  const std::string& space_name() const override { return space_->name(); }

  const space::Space& space() const { return *space_; }
  const BlockCosts& costs() const { return costs_; }

  /// The blocks of the space that the table has no coefficient for, sorted: empty if it can
  /// predict every net.
  std::vector<std::string> missing_keys() const;

  /// The same table after `correction`: coefficients times the scale, the bias corrected. Its
  /// validation is dropped, being of another table.
  BlockTable corrected(const Correction& correction) const;

  /// Writes `{"format": "lathe-block-table", "version": 1, "unit": "ms", "fingerprint": {...},
  /// "bias_ms": ..., "validation": {...} or null, "coefficients_ms": {"<block key>": ...}}`.
  /// @throws Error as write_json().
  void save(const std::filesystem::path& path) const;
  /// @throws Error naming the file: unreadable, no block table, another version or unit, another
  /// space or task, a coefficient that is not finite, negative, or of a block that the space does
  /// not have.
  static BlockTable load(const space::Space& space, const std::filesystem::path& path);
  static BlockTable load(space::Space&&, const std::filesystem::path&) = delete;

 private:
  struct BlockHash {
    std::size_t operator()(const space::Block& block) const noexcept;
  };
  struct SameWork {  // equal keys, without making them
    bool operator()(const space::Block& a, const space::Block& b) const noexcept;
  };

  double coefficient_ms(const space::Block& block) const;

  const space::Space* space_;
  BlockCosts costs_;
  // Keys are texts, too slow to make for each prediction. Missing coefficients are not in it.
  std::unordered_map<space::Block, double, BlockHash, SameWork> by_block_;
};

/// `table` with the bias and scale that fit `samples` best (fit_correction), and the leave-one-out
/// error of doing so as its validation: the stated error is not of the points it was fitted to.
/// @throws std::invalid_argument with fewer than 3 samples; Error as predict_ms().
BlockTable calibrated(const BlockTable& table, std::span<const LatencySample> samples);

}  // namespace lathe::latency
