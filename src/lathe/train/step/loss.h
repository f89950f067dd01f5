// What a pass minimises.
#pragma once

#include <ATen/core/Tensor.h>

namespace lathe::train {

/// Mean over the batch of the cross-entropy with labels [N] int64, smoothed: the target is
/// 1 - smoothing on the label plus smoothing / classes everywhere. logits: [N, classes]. Soft
/// labels, [N, classes] of logits' type whose rows have the sum 1, are smoothed likewise.
at::Tensor label_loss(const at::Tensor& logits, const at::Tensor& labels, double smoothing);

/// Mean over the batch of the cross-entropy with the teacher's softmax (temperature 1); no
/// gradient flows to `teacher_logits`.
at::Tensor soft_label_loss(const at::Tensor& logits, const at::Tensor& teacher_logits);

}  // namespace lathe::train
