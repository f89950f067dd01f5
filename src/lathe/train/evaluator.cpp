#include "lathe/train/evaluator.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>
#include <utility>

#include "lathe/data/loader.h"
#include "lathe/nn/precision.h"

namespace lathe::train {
namespace {

constexpr std::int64_t kFullBatchPixels = 64 * 64;

c10::Device device_of(const nn::Binding& binding) {
  for (const nn::NodeTensors& tensors : binding) {
    if (tensors.weight.defined()) {
      return tensors.weight.device();
    }
  }
  return c10::kCPU;
}

/// Which of `count` nets have an input of each size.
std::map<int, std::vector<std::size_t>> by_input_size(
    std::size_t count, const std::function<const nn::Executor&(std::size_t)>& net) {
  std::map<int, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < count; ++i) {
    groups[net(i).graph().input_shape().height].push_back(i);
  }
  return groups;
}

/// Sums over images; on the device of a net, since reading a number waits for it.
struct Sums {
  at::Tensor right;  // int64
  at::Tensor soft;   // double

  explicit Sums(c10::Device device)
      : right(at::zeros({}, at::TensorOptions(at::kLong).device(device))),
        soft(at::zeros({}, at::TensorOptions(at::kDouble).device(device))) {}

  void add(const at::Tensor& logits, const at::Tensor& labels) {
    const at::Tensor index = labels.unsqueeze(1);
    const at::Tensor others = logits.scatter(1, index, -std::numeric_limits<double>::infinity());
    const at::Tensor margin = logits.gather(1, index).squeeze(1) - others.amax(1);
    right += logits.argmax(1).eq(labels).sum();
    // A net that has diverged says NaN, which is not right.
    soft += at::sigmoid(2 * margin).nan_to_num(0.0).sum(at::kDouble);
  }
};

}  // namespace

Evaluator::Evaluator(const data::Dataset& dataset, const EvaluatorOptions& options)
    : dataset_(dataset), options_(options) {}

std::int64_t Evaluator::batch_size(const data::ImageSet& set) const {
  const std::int64_t pixels = std::int64_t{set.image_size()} * set.image_size();
  return std::max<std::int64_t>(
      1, std::min(options_.batch_size, options_.batch_size * kFullBatchPixels / pixels));
}

void Evaluator::each_batch(const data::ImageSet& set, const data::Batches& batches,
                           const std::optional<data::Augmentation>& augmentation,
                           const std::function<void(const Batch& batch)>& use) const {
  const int threads = set.source().reads_files() ? at::get_num_threads() : 0;
  data::Loader loader(set, dataset_.normalization,
                      [&](std::int64_t number) -> std::optional<data::BatchRequest> {
                        if (number >= batches.count()) return std::nullopt;
                        const auto images = batches[number];
                        return data::BatchRequest{{images.begin(), images.end()}, augmentation};
                      },
                      {.threads = threads, .ahead = threads + 1});
  for (std::int64_t b = 0; b < batches.count(); ++b) {
    use(make_batch(loader.take(b)));
  }
}

std::vector<nn::Binding> Evaluator::calibrated(const nn::SharedWeights& weights,
                                               std::span<const nn::Executor> nets) const {
  const c10::NoGradGuard no_grad;
  nn::allow_tf32(false);
  std::vector<nn::Binding> bindings;
  std::vector<nn::BatchNormCalibration> calibrations;
  bindings.reserve(nets.size());  // calibrations refer to them
  for (const nn::Executor& net : nets) {
    bindings.push_back(weights.bind(net.graph()));
    calibrations.emplace_back(net, bindings.back());
  }
  data::Augmentation augmentation{options_.augment, options_.seed, 0};
  augmentation.options.mixup = augmentation.options.cutmix = 0;  // nets are used on whole images
  const auto sizes =
      by_input_size(nets.size(), [&](std::size_t i) -> const nn::Executor& { return nets[i]; });
  for (const auto& [size, members] : sizes) {
    const data::ImageSet set = dataset_.train.resized(size);
    const auto batches = data::Batches::over(
        data::fixed_subset(set.size(), options_.calibration_images, options_.seed),
        batch_size(set));
    each_batch(set, batches, augmentation, [&, &members = members](const Batch& batch) {
      const Batch there = on_device(batch, weights.device(),
                                    fastest_layout(weights.device(), nn::Precision::kFloat32));
      for (const std::size_t i : members) {
        calibrations[i].add(there.images);
      }
    });
  }
  for (nn::BatchNormCalibration& calibration : calibrations) {
    calibration.finish();
  }
  return bindings;
}

nn::Binding Evaluator::calibrated(const nn::SharedWeights& weights, const nn::Executor& net) const {
  return std::move(calibrated(weights, std::span(&net, 1)).front());
}

graph::Net Evaluator::extract(const nn::SharedWeights& weights, const graph::Graph& graph) const {
  const nn::Executor net(graph);
  return nn::to_net(graph, calibrated(weights, net));
}

std::vector<Score> Evaluator::scores(std::span<const BoundNet> nets, const data::ImageSet& set,
                                     std::int64_t limit) const {
  const c10::NoGradGuard no_grad;
  nn::allow_tf32(false);
  const std::int64_t count = limit < 0 ? set.size() : std::min(limit, set.size());
  if (count == 0) {
    throw std::invalid_argument("[train::Evaluator::scores] needs at least one image");
  }
  std::vector<Sums> sums;
  for (const BoundNet& net : nets) {
    sums.emplace_back(device_of(*net.binding));
  }
  const auto sizes = by_input_size(
      nets.size(), [&](std::size_t i) -> const nn::Executor& { return *nets[i].net; });
  for (const auto& [size, members] : sizes) {
    const data::ImageSet images = set.resized(size);
    const auto batches =
        count == set.size()
            ? data::Batches::evaluation(count, batch_size(images))
            : data::Batches::over(data::stratified_sample(data::labels(set), set.num_classes(),
                                                          count, options_.seed),
                                  batch_size(images));
    each_batch(images, batches, std::nullopt, [&, &members = members](const Batch& batch) {
      Batch there = batch;
      for (const std::size_t i : members) {
        const c10::Device device = sums[i].right.device();
        there = on_device(there, device, fastest_layout(device, nn::Precision::kFloat32));
        const BoundNet& net = nets[i];
        const nn::ForwardOptions options = net.options ? *net.options : nn::ForwardOptions{};
        const at::Tensor logits = net.net->forward(*net.binding, there.images, options);
        // An auxiliary head's logits come after.
        sums[i].add(logits.narrow(1, 0, set.num_classes()), there.labels);
      }
    });
  }
  std::vector<Score> found;
  for (const Sums& sum : sums) {
    found.push_back(
        {static_cast<double>(sum.right.item<std::int64_t>()) / static_cast<double>(count),
         sum.soft.item<double>() / static_cast<double>(count)});
  }
  return found;
}

double Evaluator::top1(const nn::Executor& net, const nn::Binding& binding,
                       const data::ImageSet& set, std::int64_t limit) const {
  const BoundNet bound{&net, &binding};
  return scores(std::span(&bound, 1), set, limit).front().top1;
}

std::vector<Score> Evaluator::calibrated_scores(const nn::SharedWeights& weights,
                                                std::span<const graph::Graph> nets,
                                                const data::ImageSet& set, std::int64_t limit,
                                                nn::Workers* workers) const {
  std::vector<Score> found(nets.size());
  const auto evaluate = [&](std::size_t begin, std::size_t end) {
    std::vector<nn::Executor> executors;
    for (std::size_t i = begin; i < end; ++i) {
      executors.emplace_back(nets[i]);
    }
    const std::vector<nn::Binding> bindings = calibrated(weights, executors);
    std::vector<BoundNet> bound;
    for (std::size_t i = 0; i < executors.size(); ++i) {
      bound.push_back({&executors[i], &bindings[i]});
    }
    const std::vector<Score> part = scores(bound, set, limit);
    std::copy(part.begin(), part.end(), found.begin() + static_cast<std::ptrdiff_t>(begin));
  };
  if (workers == nullptr) {
    evaluate(0, nets.size());
    return found;
  }
  const auto count = static_cast<std::size_t>(workers->count());
  workers->run([&](int worker) {
    const auto w = static_cast<std::size_t>(worker);
    const std::size_t begin = nets.size() * w / count, end = nets.size() * (w + 1) / count;
    if (begin < end) {
      evaluate(begin, end);
    }
  });
  return found;
}

std::vector<double> Evaluator::validation_top1(const nn::SharedWeights& weights,
                                               std::span<const graph::Graph> nets,
                                               std::int64_t limit, nn::Workers* workers) const {
  std::vector<double> found;
  for (const Score& score : calibrated_scores(weights, nets, dataset_.validation, limit, workers)) {
    found.push_back(score.top1);
  }
  return found;
}

double Evaluator::validation_top1(const nn::SharedWeights& weights, const graph::Graph& net,
                                  std::int64_t limit) const {
  return validation_top1(weights, std::span(&net, 1), limit).front();
}

}  // namespace lathe::train
