// Accuracy of subnets: recalibrate batch norm, then count right answers.
#pragma once

#include <vector>

#include "lathe/data/dataset.h"
#include "lathe/nn/calibrate.h"
#include "lathe/nn/supernet.h"
#include "lathe/train/batch.h"

namespace lathe::train {

struct EvaluatorOptions {
  std::int64_t calibration_images = 2000;  ///< training images, with the training augmentation
  std::int64_t batch_size = 250;
  data::AugmentOptions augment;
  std::uint64_t seed = 0;  ///< picks the calibration images
};

/// Holds the calibration batches, the same for every subnet. `dataset` must outlive it.
class Evaluator {
 public:
  Evaluator(const data::Dataset& dataset, const EvaluatorOptions& options);

  /// The subnet's tensors with recalibrated batch norm; the supernet is not changed.
  nn::Binding calibrated(const nn::Supernet& supernet, const nn::Executor& subnet) const;

  /// Top-1 accuracy in [0, 1] over `set`, or its first `limit` images.
  /// @throws std::invalid_argument if that is no image.
  double top1(const nn::Executor& net, const nn::Binding& binding, const data::ImageSet& set,
              std::int64_t limit = -1) const;

  /// calibrated(), then top1() over the validation split.
  double validation_top1(const nn::Supernet& supernet, const space::Arch& arch,
                         std::int64_t limit = -1) const;

 private:
  const data::Dataset& dataset_;
  EvaluatorOptions options_;
  std::vector<at::Tensor> calibration_batches_;
};

}  // namespace lathe::train
