#include "lathe/train/step/batch.h"

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

at::MemoryFormat fastest_layout(c10::Device device, nn::Precision precision) {
  return device.is_cpu() || precision == nn::Precision::kBfloat16 ? at::MemoryFormat::ChannelsLast
                                                                  : at::MemoryFormat::Contiguous;
}

Batch on_device(const Batch& batch, c10::Device device, std::optional<at::MemoryFormat> layout) {
  const auto moved = [&](const at::Tensor& tensor) {
    if (!tensor.defined() || tensor.device() == device) return tensor;
    const bool pinned = device.is_cuda() && tensor.is_cpu();
    return (pinned ? tensor.pin_memory() : tensor).to(device, /*non_blocking=*/pinned);
  };
  Batch there{moved(batch.images), moved(batch.labels), moved(batch.targets)};
  if (layout && there.images.suggest_memory_format() != *layout) {
    // Not contiguous(), to which images of one channel are of either layout as they are.
    const at::Tensor placed = at::empty_like(there.images, there.images.options(), *layout);
    there.images = placed.copy_(there.images);
  }
  return there;
}

at::Tensor resized(const at::Tensor& images, const graph::Shape& input) {
  if (images.size(2) == input.height && images.size(3) == input.width) {
    return images;
  }
  return at::upsample_bilinear2d(images, {input.height, input.width}, /*align_corners=*/false);
}

}  // namespace lathe::train
