// Images of a data set as network input.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <span>

#include "lathe/data/batches.h"
#include "lathe/graph/graph.h"

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

/// `images` at the height and width of a net's input: bilinear, without antialiasing, where they
/// differ.
at::Tensor resized(const at::Tensor& images, const graph::Shape& input);

}  // namespace lathe::train
