// Nets in 8 bits: calibrated on images of their data set, and how good they are then.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>

#include "lathe/data/dataset.h"
#include "lathe/deploy/activation_range.h"
#include "lathe/deploy/quantize.h"
#include "lathe/graph/fold.h"
#include "lathe/run/answers/net_input.h"
#include "lathe/train/evaluator.h"

namespace lathe::run {

struct Int8Options {
  std::int64_t calibration_images = 512;  ///< of the training images; all if there are fewer
  deploy::RangeRule ranges = deploy::RangeRule::kLeastError;
};

/// `net`, which takes normalised input, as it is handed over: on pixels in [0, 1], batch norm
/// folded, quantized. Ranges are those of training images of `dataset` as they are, without
/// augmentation, the same ones each time.
/// @throws Error as deploy::quantize; std::invalid_argument if there are to be no images.
deploy::QuantizedNet quantized(const graph::Net& net, const NetInput& input,
                               const data::Dataset& dataset, const Int8Options& options = {});

/// What quantized() nets answer, by deploy::rounded_net().
class Int8Evaluator {
 public:
  /// `seed` picks subsets of a split, as train::EvaluatorOptions'; nets run on `device`, but for
  /// their calibration.
  Int8Evaluator(const data::Dataset& dataset, const Int8Options& options, std::uint64_t seed,
                c10::Device device = c10::kCPU);
  Int8Evaluator(const Int8Evaluator&) = delete;
  Int8Evaluator& operator=(const Int8Evaluator&) = delete;

  /// quantized() of a net that was trained on the data set.
  deploy::QuantizedNet quantize(const graph::Net& net) const;

  /// Over `set`, or as many images of it as train::Evaluator::scores() takes. Thread-safe.
  /// @throws std::invalid_argument as that.
  train::Score score(const deploy::QuantizedNet& net, const data::ImageSet& set,
                     std::int64_t limit = -1) const;
  /// Top-1 accuracy alone.
  double top1(const deploy::QuantizedNet& net, const data::ImageSet& set,
              std::int64_t limit = -1) const {
    return score(net, set, limit).top1;
  }
  /// The same of a net that is quantized first.
  double top1(const graph::Net& net, const data::ImageSet& set, std::int64_t limit = -1) const {
    return top1(quantize(net), set, limit);
  }

 private:
  const data::Dataset& dataset_;
  data::Dataset pixels_;  // the same, not normalised: the nets do that
  Int8Options options_;
  c10::Device device_;
  train::Evaluator evaluator_;  // of pixels_
};

}  // namespace lathe::run
