// Latency as a sum over choices: the plain ridge, and all there is where a space's blocks can't be
// listed.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/latency/models/stored_model.h"
#include "lathe/latency/samples/sample.h"

namespace lathe::latency {

struct LinearCosts {
  Fingerprint fingerprint;
  double bias_ms = 0.0;
  std::vector<double> weights_ms;  ///< one for each bit of Space::encode()
  /// The same times the input's area, as a fraction of the task's input size squared; empty where
  /// the space has a single input size.
  std::vector<double> area_weights_ms;
  std::optional<ModelError> validation;
  bool operator==(const LinearCosts&) const = default;
};

/// latency = bias + sum over the bits of the encoding of weight (+ area * area weight).
class LinearModel : public StoredLatencyModel {
 public:
  /// `space` must outlive the model.
  /// @throws std::invalid_argument if a number of weights is not the space's, or a value not
  /// finite.
  LinearModel(const space::Space& space, LinearCosts costs);
  LinearModel(space::Space&&, LinearCosts) = delete;

  using LatencyModel::predict_ms;
  double predict_ms(const space::Arch& arch) const override;
  const std::string& space_name() const override { return space_->name(); }
  const Fingerprint& fingerprint() const override { return costs_.fingerprint; }
  const std::optional<ModelError>& validation() const override { return costs_.validation; }
  void set_validation(std::optional<ModelError> error) override { costs_.validation = error; }
  void set_fingerprint(Fingerprint fingerprint) override {
    costs_.fingerprint = std::move(fingerprint);
  }
  std::unique_ptr<StoredLatencyModel> with_correction(const Correction& correction) const override;
  const LinearCosts& costs() const { return costs_; }

  static constexpr const char* kFormat = "lathe-linear-latency";

  /// `{"format": "lathe-linear-latency", "version": 1, "unit": "ms", "encoding": "one-hot",
  /// "fingerprint": {...}, "validation": ..., "bias_ms": ..., "weights_ms": [...],
  /// "area_weights_ms": [...]}`.
  nlohmann::ordered_json to_json() const;
  void save(const std::filesystem::path& path) const override;
  /// @throws Error `<where>: ...` if it is none, or of another space.
  static LinearModel from_json(const space::Space& space, const nlohmann::json& json,
                               const std::string& where);

 private:
  const space::Space* space_;
  LinearCosts costs_;
};

inline constexpr std::size_t kMinLinearSamples = 10;

/// A ridge on the encoding, and on the encoding times the input's area where that varies; relative
/// errors count, the strength is chosen by five-fold cross-validation.
/// @throws std::invalid_argument with fewer than kMinLinearSamples samples.
LinearModel fit_linear_model(const space::Space& space, const Fingerprint& fingerprint,
                             std::span<const LatencySample> samples);

}  // namespace lathe::latency
