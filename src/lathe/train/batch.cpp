#include "lathe/train/batch.h"

#include <ATen/ATen.h>

#include <utility>

namespace lathe::train {

Batch make_batch(const data::ImageSet& set, std::span<const std::int64_t> indices,
                 const std::optional<data::Augmentation>& augmentation,
                 const data::Normalization& normalization) {
  return make_batch(data::load_batch(set, indices, augmentation, normalization));
}

Batch make_batch(data::ImageBatch batch) {
  const std::int64_t n = batch.count, size = batch.size;
  Batch result;
  result.labels = at::tensor(batch.labels, at::kLong);
  if (!batch.targets.empty()) {
    result.targets = at::tensor(batch.targets, at::kFloat).view({n, batch.num_classes});
  }
  float* pixels = batch.pixels.release();
  const at::Tensor nhwc = at::from_blob(
      pixels, {n, size, size, batch.channels},
      [](void* floats) { data::FreeFloats()(static_cast<float*>(floats)); }, at::kFloat);
  result.images = nhwc.permute({0, 3, 1, 2});
  return result;
}

at::Tensor resized(const at::Tensor& images, const graph::Shape& input) {
  if (images.size(2) == input.height && images.size(3) == input.width) {
    return images;
  }
  return at::upsample_bilinear2d(images, {input.height, input.width}, /*align_corners=*/false);
}

}  // namespace lathe::train
