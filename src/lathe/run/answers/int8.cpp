#include "lathe/run/answers/int8.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "lathe/deploy/rounded_net.h"
#include "lathe/nn/binding.h"
#include "lathe/train/step/batch.h"

namespace lathe::run {
namespace {

/// What leaves pixels as they are, in [0, 1].
data::Normalization none(std::size_t channels) {
  return {std::vector<float>(channels, 0), std::vector<float>(channels, 1)};
}

data::Dataset not_normalised(data::Dataset dataset) {
  dataset.normalization = none(dataset.normalization.mean.size());
  return dataset;
}

/// Pixels of `count` images, in batches that don't grow with their size.
deploy::CalibrationBatches pixel_batches(const data::ImageSet& images, std::int64_t count) {
  constexpr std::int64_t kBatchPixels = 64 * 64 * 64;
  const std::int64_t pixels = std::int64_t{images.image_size()} * images.image_size();
  const auto batches = data::Batches::over(data::fixed_subset(images.size(), count, 0),
                                           std::clamp<std::int64_t>(kBatchPixels / pixels, 1, 64));
  return [images, batches, as_they_are = none(static_cast<std::size_t>(images.channels())),
          next = std::int64_t{0}]() mutable -> std::optional<FloatTensor> {
    if (next == batches.count()) return std::nullopt;
    return nn::from_torch(
        train::make_batch(images, batches[next++], std::nullopt, as_they_are).images);
  };
}

}  // namespace

deploy::QuantizedNet quantized(const graph::Net& net, const NetInput& input,
                               const data::Dataset& dataset, const Int8Options& options) {
  return deploy::quantize(
      on_pixels(net, input),
      pixel_batches(dataset.train.resized(input.size), options.calibration_images),
      {.ranges = options.ranges});
}

Int8Evaluator::Int8Evaluator(const data::Dataset& dataset, const Int8Options& options,
                             std::uint64_t seed, c10::Device device)
    : dataset_(dataset),
      pixels_(not_normalised(dataset)),
      options_(options),
      device_(device),
      evaluator_(pixels_, {.seed = seed}) {}

deploy::QuantizedNet Int8Evaluator::quantize(const graph::Net& net) const {
  return quantized(net, net_input(dataset_, net.graph.input_shape().height), dataset_, options_);
}

train::Score Int8Evaluator::score(const deploy::QuantizedNet& net, const data::ImageSet& set,
                                  std::int64_t limit) const {
  const deploy::RoundedNet rounded = deploy::rounded_net(net, device_);
  const train::BoundNet bound{&rounded.executor, &rounded.binding, &rounded.options};
  return evaluator_.scores({&bound, 1}, set, limit).front();
}

}  // namespace lathe::run
