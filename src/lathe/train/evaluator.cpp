#include "lathe/train/evaluator.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <stdexcept>

namespace lathe::train {

Evaluator::Evaluator(const data::Dataset& dataset, const EvaluatorOptions& options)
    : dataset_(dataset), options_(options) {
  const auto batches = data::Batches::over(
      data::fixed_subset(dataset.train.size(), options.calibration_images, options.seed),
      options.batch_size);
  const data::Augmentation augmentation{options.augment, options.seed, 0};
  for (std::int64_t b = 0; b < batches.count(); ++b) {
    calibration_batches_.push_back(
        make_batch(dataset.train, batches[b], augmentation, dataset.normalization).images);
  }
}

nn::Binding Evaluator::calibrated(const nn::Supernet& supernet, const nn::Executor& subnet) const {
  nn::Binding binding = supernet.bind(subnet.graph());
  std::size_t next = 0;
  nn::calibrate_batch_norm(subnet, binding, [&]() -> std::optional<at::Tensor> {
    return next < calibration_batches_.size() ? std::optional(calibration_batches_[next++])
                                              : std::nullopt;
  });
  return binding;
}

double Evaluator::top1(const nn::Executor& net, const nn::Binding& binding,
                       const data::ImageSet& set, std::int64_t limit) const {
  const c10::NoGradGuard no_grad;
  const std::int64_t count = limit < 0 ? set.size() : std::min(limit, set.size());
  if (count == 0) {
    throw std::invalid_argument("[train::Evaluator::top1] needs at least one image");
  }
  const auto batches = data::Batches::evaluation(count, options_.batch_size);
  std::int64_t right = 0;
  for (std::int64_t b = 0; b < batches.count(); ++b) {
    const Batch batch = make_batch(set, batches[b], std::nullopt, dataset_.normalization);
    const at::Tensor answers = net.forward(binding, batch.images).argmax(1);
    right += answers.eq(batch.labels).sum().item<std::int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(count);
}

double Evaluator::validation_top1(const nn::Supernet& supernet, const space::Arch& arch,
                                  std::int64_t limit) const {
  const c10::NoGradGuard no_grad;
  const nn::Executor net(supernet.space().graph(arch));
  return top1(net, calibrated(supernet, net), dataset_.validation, limit);
}

}  // namespace lathe::train
