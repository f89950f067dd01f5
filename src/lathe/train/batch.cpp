#include "lathe/train/batch.h"

#include <ATen/ATen.h>

namespace lathe::train {

Batch make_batch(const data::ImageSet& set, std::span<const std::int64_t> indices,
                 const std::optional<data::Augmentation>& augmentation,
                 const data::Normalization& normalization) {
  const auto count = static_cast<std::int64_t>(indices.size());
  const at::Tensor nhwc =
      at::empty({count, set.image_size(), set.image_size(), set.channels()}, at::kFloat);
  const at::Tensor labels = at::empty({count}, at::kLong);
  data::fill_batch(set, indices, augmentation, normalization, nhwc.data_ptr<float>(),
                   labels.data_ptr<std::int64_t>());
  return {nhwc.permute({0, 3, 1, 2}), labels};
}

at::Tensor resized(const at::Tensor& images, const graph::Shape& input) {
  if (images.size(2) == input.height && images.size(3) == input.width) {
    return images;
  }
  return at::upsample_bilinear2d(images, {input.height, input.width}, /*align_corners=*/false);
}

}  // namespace lathe::train
