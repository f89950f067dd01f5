#include "lathe/nn/calibrate.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <stdexcept>

namespace lathe::nn {

void calibrate_batch_norm(const Executor& executor, Binding& binding, const BatchSource& batches) {
  const c10::NoGradGuard no_grad;
  const graph::Graph& graph = executor.graph();
  struct Sums {
    int node;
    at::Tensor mean, var;
  };
  std::vector<Sums> sums;
  for (int i = 0; i < graph.size(); ++i) {
    if (graph[i].op == graph::Op::kBatchNorm) {
      NodeTensors& t = binding[static_cast<std::size_t>(i)];
      t.running_mean = at::zeros_like(t.running_mean, at::MemoryFormat::Contiguous);
      t.running_var = at::ones_like(t.running_var, at::MemoryFormat::Contiguous);
      sums.push_back({i, at::zeros_like(t.running_mean, at::kDouble),
                      at::zeros_like(t.running_var, at::kDouble)});
    }
  }
  std::int64_t images = 0;
  while (const std::optional<at::Tensor> batch = batches()) {
    // With momentum 1 the running statistics are this batch's, the variance unbiased.
    executor.forward(binding, *batch, {.training = true, .momentum = 1.0, .dropout = false});
    const auto count = static_cast<double>(batch->size(0));
    for (Sums& sum : sums) {
      const NodeTensors& t = binding[static_cast<std::size_t>(sum.node)];
      const graph::Shape& shape = graph[sum.node].shape;
      const double pixels = count * shape.height * shape.width;
      sum.mean.add_(t.running_mean, count);
      sum.var.add_(t.running_var, count * (pixels - 1) / pixels);
    }
    images += batch->size(0);
  }
  if (images == 0) {
    throw std::invalid_argument("[nn::calibrate_batch_norm] needs at least one batch");
  }
  for (const Sums& sum : sums) {
    NodeTensors& t = binding[static_cast<std::size_t>(sum.node)];
    t.running_mean.copy_(sum.mean / static_cast<double>(images));
    t.running_var.copy_(sum.var / static_cast<double>(images));
  }
}

}  // namespace lathe::nn
