// Accuracy of nets: recalibrate batch norm, then count right answers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "lathe/data/dataset.h"
#include "lathe/nn/calibrate.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/nn/threads.h"
#include "lathe/train/step/batch.h"

namespace lathe::train {

struct EvaluatorOptions {
  std::int64_t calibration_images = 2000;  ///< training images, with the training augmentation
  /// Images at once, fewer where they are larger than 64x64, so that memory doesn't grow.
  std::int64_t batch_size = 250;
  data::AugmentOptions augment;
  std::uint64_t seed = 0;  ///< picks the calibration images and subsets of a split
};

/// How good a net is on images, both in [0, 1].
struct Score {
  double top1 = 0.0;
  /// The mean of sigmoid(2 m), where m is how far the right class's logit is above the best of the
  /// others. top1 counts an image as 1 if m > 0 and as 0 else, so that those on the edge make nets
  /// look better or worse than they are; here they hardly count. Nets are ordered more as they are
  /// on other images (docs/accuracy_predictor.md); the 2 was found there.
  double soft_top1 = 0.0;
};

/// A net that can answer.
struct BoundNet {
  const nn::Executor* net = nullptr;
  const nn::Binding* binding = nullptr;
  const nn::ForwardOptions* options = nullptr;  ///< null: as they are by default
};

/// Each pass over a split serves any number of nets of one resolution: images are read at the size
/// of the nets' input, ahead by as many threads as torch has where they come from files. Nets run
/// on the device of their weights, in float32 without TF32. `dataset` must outlive it.
class Evaluator {
 public:
  Evaluator(const data::Dataset& dataset, const EvaluatorOptions& options);

  /// The tensors of a net that `weights` hold, with recalibrated batch norm; the weights are not
  /// changed. The calibration images are the same for every net.
  nn::Binding calibrated(const nn::SharedWeights& weights, const nn::Executor& net) const;
  /// Of several nets, in one pass over the images.
  std::vector<nn::Binding> calibrated(const nn::SharedWeights& weights,
                                      std::span<const nn::Executor> nets) const;
  /// The same as a net of its own.
  graph::Net extract(const nn::SharedWeights& weights, const graph::Graph& graph) const;

  /// Over `set`, or over a subset of `limit` images that is the same each time and has the classes
  /// in the set's proportions.
  /// @throws std::invalid_argument if that is no image.
  std::vector<Score> scores(std::span<const BoundNet> nets, const data::ImageSet& set,
                            std::int64_t limit = -1) const;
  /// Top-1 accuracy alone.
  double top1(const nn::Executor& net, const nn::Binding& binding, const data::ImageSet& set,
              std::int64_t limit = -1) const;

  /// calibrated(), then scores() over `set`, for each net; side by side where there are `workers`.
  std::vector<Score> calibrated_scores(const nn::SharedWeights& weights,
                                       std::span<const graph::Graph> nets,
                                       const data::ImageSet& set, std::int64_t limit = -1,
                                       nn::Workers* workers = nullptr) const;
  /// Top-1 accuracies alone, over the validation split.
  std::vector<double> validation_top1(const nn::SharedWeights& weights,
                                      std::span<const graph::Graph> nets, std::int64_t limit = -1,
                                      nn::Workers* workers = nullptr) const;
  double validation_top1(const nn::SharedWeights& weights, const graph::Graph& net,
                         std::int64_t limit = -1) const;

 private:
  std::int64_t batch_size(const data::ImageSet& set) const;
  void each_batch(const data::ImageSet& set, const data::Batches& batches,
                  const std::optional<data::Augmentation>& augmentation,
                  const std::function<void(const Batch& batch)>& use) const;

  const data::Dataset& dataset_;
  EvaluatorOptions options_;
};

}  // namespace lathe::train
