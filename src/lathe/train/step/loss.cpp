#include "lathe/train/step/loss.h"

#include <ATen/ATen.h>

namespace lathe::train {

at::Tensor label_loss(const at::Tensor& logits, const at::Tensor& labels, double smoothing) {
  return at::cross_entropy_loss(logits, labels, /*weight=*/{}, at::Reduction::Mean,
                                /*ignore_index=*/-100, smoothing);
}

at::Tensor soft_label_loss(const at::Tensor& logits, const at::Tensor& teacher_logits) {
  const at::Tensor target = at::softmax(teacher_logits.detach(), 1);
  return -(target * at::log_softmax(logits, 1)).sum(1).mean();
}

}  // namespace lathe::train
