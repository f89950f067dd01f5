// Latency learned over the encoding, alone or for what a sum leaves unexplained.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "lathe/latency/models/stored_model.h"
#include "lathe/regress/perceptron.h"

namespace lathe::latency {

struct LatencyPerceptron {
  Fingerprint fingerprint;
  regress::Perceptron perceptron;  ///< of Space::encode(), to standardised milliseconds
  double mean_ms = 0.0;
  double scale_ms = 1.0;
  std::optional<ModelError> validation;
};

/// latency = base + mean + scale * perceptron(encoding); without a base it is the latency
/// prediction module of LA-DARTS, with one it learns the base's residual.
class PerceptronModel : public StoredLatencyModel {
 public:
  /// `space` must outlive the model. `base` may be null, and is a block table or a linear model.
  /// @throws std::invalid_argument if the perceptron's inputs are not the encoding's size, or a
  /// value is not finite.
  PerceptronModel(const space::Space& space, LatencyPerceptron fit,
                  std::unique_ptr<StoredLatencyModel> base);
  PerceptronModel(space::Space&&, LatencyPerceptron, std::unique_ptr<StoredLatencyModel>) = delete;

  double predict_ms(const space::Arch& arch) const override;
  void predict_ms(std::span<const space::Arch> archs, std::span<double> out_ms) const override;
  const std::string& space_name() const override { return space_->name(); }
  const Fingerprint& fingerprint() const override { return fit_.fingerprint; }
  const std::optional<ModelError>& validation() const override { return fit_.validation; }
  void set_validation(std::optional<ModelError> error) override { fit_.validation = error; }
  void set_fingerprint(Fingerprint fingerprint) override {
    fit_.fingerprint = std::move(fingerprint);
  }
  std::unique_ptr<StoredLatencyModel> with_correction(const Correction& correction) const override;
  const StoredLatencyModel* base() const { return base_.get(); }
  const LatencyPerceptron& fit() const { return fit_; }

  static constexpr const char* kFormat = "lathe-latency-perceptron 1";

  /// Safetensors: the perceptron's tensors; the rest, the base included, as JSON texts in the
  /// metadata.
  void save(const std::filesystem::path& path) const override;
  /// @throws Error naming the file, as load_latency_model().
  static PerceptronModel load(const space::Space& space, const std::filesystem::path& path);
  static PerceptronModel load(space::Space&&, const std::filesystem::path&) = delete;

 private:
  const space::Space* space_;
  LatencyPerceptron fit_;
  std::unique_ptr<StoredLatencyModel> base_;
};

}  // namespace lathe::latency
