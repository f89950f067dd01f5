// Accuracy from a perceptron over an encoding of the arch.
#pragma once

#include <filesystem>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/accuracy/encoding.h"
#include "lathe/regress/perceptron.h"
#include "lathe/space/space.h"

namespace lathe::accuracy {

/// What a fit leaves behind.
struct PredictorFit {
  regress::Perceptron perceptron;  ///< as many inputs as the encoding has
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
  PerceptronPredictor(const space::Space& space, Encoding encoding, PredictorFit fit);
  PerceptronPredictor(space::Space&&, Encoding, PredictorFit) = delete;
  /// With the encoding `one-hot` of all input sizes.
  PerceptronPredictor(const space::Space& space, PredictorFit fit);
  PerceptronPredictor(space::Space&&, PredictorFit) = delete;

  using AccuracyPredictor::predict;
  /// @throws std::invalid_argument also if an arch's input size is not covered.
  void predict(std::span<const space::Arch> archs, std::span<double> out) const override;
  std::vector<float> choice_effects(std::span<const space::Arch> archs) const override;
  const std::string& space_name() const override { return space_->name(); }
  bool covers(int input_size) const override { return encoding_.covers(input_size); }

  const PredictorFit& fit() const { return fit_; }
  const Encoding& encoding() const { return encoding_; }

  /// Safetensors: the perceptron's tensors; format, space, encoding, the input sizes as
  /// "resolutions", activation and the figures of the fit as metadata.
  /// @throws Error as save_safetensors().
  void save(const std::filesystem::path& path) const;
  /// Such a file, or a published predictor: format "pt", with space, encoding and resolutions, a
  /// perceptron with ReLUs whose output is the accuracy.
  /// @throws Error naming the file: as load_safetensors(), of another format, space (both are
  /// named), encoding or number of inputs, or a figure is missing or no number.
  static PerceptronPredictor load(const space::Space& space, const std::filesystem::path& path);
  static PerceptronPredictor load(space::Space&&, const std::filesystem::path&) = delete;

 private:
  /// One row each.
  std::vector<float> encoded(std::span<const space::Arch> archs) const;

  const space::Space* space_;
  Encoding encoding_;
  PredictorFit fit_;
};

}  // namespace lathe::accuracy
