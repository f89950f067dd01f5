// Accuracy from a perceptron over the one-hot encoding of the arch.
#pragma once

#include <filesystem>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/regress/perceptron.h"
#include "lathe/space/space.h"

namespace lathe::accuracy {

/// What a fit leaves behind.
struct PredictorFit {
  regress::Perceptron perceptron;  ///< space.encoding_size() inputs
  double mean = 0.0;   ///< accuracy = mean + scale * output, cut to [0, 1]: a fit of standardised
  double scale = 1.0;  ///< accuracies is better conditioned
  int samples = 0;     ///< subnets that it was fitted to
  double rmse = 0.0;   ///< on held-out subnets, as a fraction of 1
  double kendall_tau = 0.0;  ///< on held-out subnets
  bool operator==(const PredictorFit&) const = default;
};

class PerceptronPredictor : public AccuracyPredictor {
 public:
  /// `space` must outlive the predictor.
  /// @throws std::invalid_argument if the perceptron's inputs are not the encoding's size, or mean,
  /// scale, rmse or kendall_tau is not finite.
  PerceptronPredictor(const space::Space& space, PredictorFit fit);
  PerceptronPredictor(space::Space&&, PredictorFit) = delete;

  using AccuracyPredictor::predict;
  void predict(std::span<const space::Arch> archs, std::span<double> out) const override;
  std::vector<float> choice_effects(std::span<const space::Arch> archs) const override;
  const std::string& space_name() const override { return space_->name(); }

  const PredictorFit& fit() const { return fit_; }

  /// Safetensors: the perceptron's tensors; format, space, encoding, activation and the figures of
  /// the fit as metadata. @throws Error as save_safetensors().
  void save(const std::filesystem::path& path) const;
  /// @throws Error naming the file: as load_safetensors(), of another format, space (both are
  /// named), encoding or number of inputs, or a figure is missing or no number.
  static PerceptronPredictor load(const space::Space& space, const std::filesystem::path& path);
  static PerceptronPredictor load(space::Space&&, const std::filesystem::path&) = delete;

 private:
  const space::Space* space_;
  PredictorFit fit_;
};

}  // namespace lathe::accuracy
