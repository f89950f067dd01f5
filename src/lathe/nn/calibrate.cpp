#include "lathe/nn/calibrate.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <stdexcept>

namespace lathe::nn {

BatchNormCalibration::BatchNormCalibration(const Executor& executor, Binding& binding)
    : executor_(executor), binding_(binding) {
  const graph::Graph& graph = executor.graph();
  for (int i = 0; i < graph.size(); ++i) {
    if (graph[i].op == graph::Op::kBatchNorm) {
      NodeTensors& t = binding[static_cast<std::size_t>(i)];
      t.running_mean = at::zeros_like(t.running_mean, at::MemoryFormat::Contiguous);
      t.running_var = at::ones_like(t.running_var, at::MemoryFormat::Contiguous);
      sums_.push_back({i, at::zeros_like(t.running_mean, at::kDouble),
                       at::zeros_like(t.running_var, at::kDouble)});
    }
  }
}

void BatchNormCalibration::add(const at::Tensor& batch) {
  const c10::NoGradGuard no_grad;
  // With momentum 1 the running statistics are this batch's, the variance unbiased.
  executor_.forward(binding_, batch, {.training = true, .momentum = 1.0, .dropout = false});
  const auto count = static_cast<double>(batch.size(0));
  for (Sums& sum : sums_) {
    const NodeTensors& t = binding_[static_cast<std::size_t>(sum.node)];
    const graph::Shape& shape = executor_.graph()[sum.node].shape;
    const double pixels = count * shape.height * shape.width;
    sum.mean.add_(t.running_mean, count);
    sum.var.add_(t.running_var, count * (pixels - 1) / pixels);
  }
  images_ += batch.size(0);
}

void BatchNormCalibration::finish() {
  const c10::NoGradGuard no_grad;
  if (images_ == 0) {
    throw std::invalid_argument("[nn::calibrate_batch_norm] needs at least one batch");
  }
  for (const Sums& sum : sums_) {
    NodeTensors& t = binding_[static_cast<std::size_t>(sum.node)];
    t.running_mean.copy_(sum.mean / static_cast<double>(images_));
    t.running_var.copy_(sum.var / static_cast<double>(images_));
  }
}

void calibrate_batch_norm(const Executor& executor, Binding& binding, const BatchSource& batches) {
  BatchNormCalibration calibration(executor, binding);
  while (const std::optional<at::Tensor> batch = batches()) {
    calibration.add(*batch);
  }
  calibration.finish();
}

}  // namespace lathe::nn
