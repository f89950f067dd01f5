// Latency as a sum over blocks.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lathe/latency/fit/calibrate.h"
#include "lathe/latency/fit/validation.h"
#include "lathe/latency/models/block_evidence.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/latency/samples/fingerprint.h"
#include "lathe/space/space.h"

namespace lathe::latency {

/// What a block table knows, wherever it comes from: blocks timed one at a time, whole nets
/// explained by least squares, or an imported table.
struct BlockCosts {
  Fingerprint fingerprint;
  double bias_ms = 0.0;  ///< what a net costs beyond its blocks
  /// Whether whole nets were explained: then only sums have a meaning, and a coefficient may be
  /// negative.
  bool fitted = false;
  std::map<std::string, double> coefficients_ms;  ///< by space::Block::key()
  /// By input size: of blocks that take another time in those nets than `coefficients_ms` says,
  /// though the work is the same. Published tables time each input size by itself.
  std::map<int, std::map<std::string, double>> coefficients_at_input_size_ms;
  std::optional<ModelError> validation;   ///< against whole nets, if it was validated
  std::optional<BlockEvidence> evidence;  ///< of an additive fit: what its samples determine
  bool operator==(const BlockCosts&) const = default;
};

/// latency = bias + sum of the coefficients of the net's blocks.
class BlockTable : public StoredLatencyModel {
 public:
  /// `space` must outlive the table; it may be a part of the one that the costs were made for. One
  /// lookup for each assignment of each slot: some ten milliseconds.
  /// @throws std::invalid_argument if the bias is not finite, a coefficient not finite or (unless
  /// fitted) negative, or one for an input size is of a block that `coefficients_ms` lacks; Error
  /// as Space::for_each_assignment().
  BlockTable(const space::Space& space, BlockCosts costs);
  BlockTable(space::Space&&, BlockCosts) = delete;

  using LatencyModel::predict_ms;
  /// @throws Error naming the block if the table has no coefficient for one of the net's;
  /// std::invalid_argument if `arch` is none of the space. O(slots).
  double predict_ms(const space::Arch& arch) const override;
  const std::string& space_name() const override { return space_->name(); }
  bool covers(int input_size) const override;
  const space::SlotCosts* slot_costs() const override { return &slot_costs_; }

  const Fingerprint& fingerprint() const override { return costs_.fingerprint; }
  const std::optional<ModelError>& validation() const override { return costs_.validation; }
  void set_validation(std::optional<ModelError> error) override { costs_.validation = error; }
  void set_fingerprint(Fingerprint fingerprint) override {
    costs_.fingerprint = std::move(fingerprint);
  }
  /// By the evidence of an additive fit.
  std::vector<Certainty> certainty(std::span<const space::Arch> archs) const override;
  std::unique_ptr<StoredLatencyModel> with_correction(const Correction& correction) const override {
    return std::make_unique<BlockTable>(corrected(correction));
  }

  const space::Space& space() const { return *space_; }
  const BlockCosts& costs() const { return costs_; }

  /// The blocks of the space that the table has no coefficient for, sorted: empty if it can
  /// predict every net.
  std::vector<std::string> missing_keys() const;

  /// The same table after `correction`: coefficients times the scale, the bias corrected. Its
  /// validation and evidence are dropped, being of another table.
  BlockTable corrected(const Correction& correction) const;

  /// Writes `{"format": "lathe-block-table", "version": 1, "unit": "ms", "fingerprint": {...},
  /// "bias_ms": ..., "fitted": ..., "validation": {...} or null, "coefficients_ms": {"<block key>":
  /// ...}}`; with coefficients for input sizes version 2, `"coefficients_at_input_size_ms": {"160":
  /// {"<block key>": ...}}` beside the others; with evidence `"evidence": {...}`. @throws Error as
  /// write_json().
  void save(const std::filesystem::path& path) const override;
  nlohmann::ordered_json to_json() const;  ///< what save() writes
  /// @throws Error naming the file: unreadable, no block table, another version or unit, another
  /// space or task, a coefficient that is not finite, negative though not fitted, or of a block
  /// that the space does not have.
  static BlockTable load(const space::Space& space, const std::filesystem::path& path);
  static BlockTable load(space::Space&&, const std::filesystem::path&) = delete;
  /// The same of a file's content; `where` names it in errors.
  static BlockTable from_json(const space::Space& space, const nlohmann::json& json,
                              const std::string& where);

  static constexpr const char* kFormat = "lathe-block-table";

 private:
  const space::Space* space_;
  BlockCosts costs_;
  std::set<int> uncovered_;  // input sizes at which some block has no coefficient
  space::SlotCosts slot_costs_;
};

/// `table` with the bias and scale that fit `samples` best (fit_correction), and the leave-one-out
/// error of doing so as its validation: the stated error is not of the points it was fitted to.
/// @throws std::invalid_argument with fewer than 3 samples; Error as predict_ms().
BlockTable calibrated(const BlockTable& table, std::span<const LatencySample> samples);

}  // namespace lathe::latency
