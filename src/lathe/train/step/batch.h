// Images of a data set as network input.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/MemoryFormat.h>

#include <optional>
#include <span>

#include "lathe/data/batches.h"
#include "lathe/graph/graph.h"
#include "lathe/nn/precision.h"

namespace lathe::train {

struct Batch {
  at::Tensor images;   ///< [N, C, H, W] float32, normalised, channels-last
  at::Tensor labels;   ///< [N] int64
  at::Tensor targets;  ///< [N, classes] float32, rows with the sum 1; undefined: as the labels say

  /// What the loss is taken of.
  const at::Tensor& target() const { return targets.defined() ? targets : labels; }
};

/// @throws std::invalid_argument as data::load_batch.
Batch make_batch(const data::ImageSet& set, std::span<const std::int64_t> indices,
                 const std::optional<data::Augmentation>& augmentation,
                 const data::Normalization& normalization);

/// The same batch as tensors; the pixels are not copied.
Batch make_batch(data::ImageBatch batch);

/// The layout of images in which nets are trained and answer fastest: channels-last, but NCHW for
/// float32 and TF32 on a GPU, where the library's depthwise convolutions are several times slower
/// in channels-last.
at::MemoryFormat fastest_layout(c10::Device device, nn::Precision precision);

/// The batch on `device`, its images in `layout` if that is given. To a GPU it goes through pinned
/// memory: the call doesn't wait until it is there, what is computed with it does.
Batch on_device(const Batch& batch, c10::Device device,
                std::optional<at::MemoryFormat> layout = {});

/// `images` at the height and width of a net's input: bilinear, without antialiasing, where they
/// differ.
at::Tensor resized(const at::Tensor& images, const graph::Shape& input);

}  // namespace lathe::train
