#include "lathe/train/step/step.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/nn/device.h"
#include "lathe/train/step/loss.h"

namespace lathe::train {
namespace {

// A stream of random numbers that must not meet others.
constexpr std::uint64_t kDropoutStream = 0x64726f70;

void check(std::span<const StepPass> passes, const Teacher& teacher) {
  if (passes.empty()) {
    throw std::invalid_argument("[train::Step] needs at least one pass");
  }
  for (std::size_t i = 0; i < passes.size(); ++i) {
    if (passes[i].fixed_weights != passes.front().fixed_weights) {
      throw std::invalid_argument("[train::Step] either all passes have fixed weights or none");
    }
    for (const LossTerm& term : passes[i].losses) {
      if (term.target == Target::kTeacher && teacher.net == nullptr) {
        throw std::invalid_argument("[train::Step] pass " + std::to_string(i) +
                                    " learns from a teacher, and there is none");
      }
      if (term.target == Target::kFirstPass && i == 0) {
        throw std::invalid_argument("[train::Step] the first pass can't learn from itself");
      }
    }
  }
}

/// The tensors of a pass's net. Fixed ones are no leaves: backward leaves them out.
nn::Binding bound(const nn::SharedWeights& weights, const StepPass& pass, int replica) {
  nn::Binding binding = weights.bind(pass.net->graph(), replica);
  if (pass.fixed_weights) {
    for (nn::NodeTensors& tensors : binding) {
      for (at::Tensor* tensor : {&tensors.weight, &tensors.bias}) {
        if (tensor->defined()) *tensor = tensor->detach();
      }
    }
  }
  if (pass.complete) {
    pass.complete(binding, replica);
  }
  return binding;
}
/// Backward passes, one after the other. With `aside` a thread of their own launches them while the
/// caller goes on to the next net's forward pass: on a GPU small nets are as fast as their kernels
/// are launched.
class Backwards {
 public:
  explicit Backwards(bool aside) : aside_(aside) {}
  void add(std::function<void()> backward) {
    finish();
    if (aside_) {
      running_ = std::async(std::launch::async, std::move(backward));
    } else {
      backward();
    }
  }
  void finish() {
    if (running_.valid()) running_.get();
  }

 private:
  bool aside_;
  std::future<void> running_;
};

}  // namespace

int shards_here(const dist::ProcessGroup* group, int shards) {
  return group == nullptr ? shards
                          : dist::shards_of(group->rank(), group->world_size(), shards).count;
}

/// What one shard has beside its batch.
struct Step::Shard {
  int replica = 0;
  at::Generator dropout;
  at::Tensor first_logits;
  at::Tensor teacher_logits;
  double loss = 0;
  std::vector<std::vector<float>> observed;
};

Step::Step(nn::SharedWeights& weights, const StepOptions& options)
    : weights_(weights),
      options_(options),
      group_(options.group != nullptr ? *options.group : alone_),
      range_(dist::shards_of(group_.rank(), group_.world_size(), options.shards)),
      workers_(std::max(1, std::min(range_.count, options.threads)),
               std::max(1, options.threads / range_.count)),
      reducer_(weights.parameters(), group_, options.reducer) {
  if (options.threads < 1 || weights.parameters().replicas() != range_.count) {
    throw std::invalid_argument(
        "[train::Step] threads must be >= 1 and the weights have a replica per shard of this "
        "process, got " +
        std::to_string(options.threads) + " threads, " + std::to_string(range_.count) +
        " shards and " + std::to_string(weights.parameters().replicas()) + " replicas");
  }
}

/// Waits for the device: `losses` of the passes, float64, and `observed` ones of images.
void Step::read(const std::vector<at::Tensor>& losses, const std::vector<at::Tensor>& observed,
                Shard& shard) {
  for (const at::Tensor& values : observed) {
    const at::Tensor each = values.to(at::kCPU);
    shard.observed.emplace_back(each.data_ptr<float>(), each.data_ptr<float>() + each.numel());
  }
  const at::Tensor of_passes = at::stack(losses).to(at::kCPU);
  const double* values = of_passes.data_ptr<double>();
  shard.loss = values[0];
  for (std::size_t i = 1; i < losses.size(); ++i) {
    if (!std::isfinite(values[i])) {
      shard.loss = values[i];  // a subnet's failure is the step's, as the first net's
    }
  }
}

void Step::run_shard(Shard& shard, std::span<const StepPass> passes, const Batch& batch,
                     const Teacher& teacher) {
  const at::Tensor& images = batch.images;
  const at::Tensor& labels = batch.target();
  if (teacher.net != nullptr) {
    const c10::NoGradGuard no_grad;
    shard.teacher_logits =
        teacher.net->forward(teacher.weights->bind(teacher.net->graph()),
                             resized(images, teacher.net->graph().input_shape()),
                             {.kernels = options_.kernels, .precision = options_.precision});
  }
  std::vector<at::Tensor> losses, observed;
  const auto value = [&](const LossTerm& term, const at::Tensor& logits) {
    switch (term.target) {
      case Target::kLabels:
        return label_loss(logits, labels, options_.label_smoothing);
      case Target::kFirstPass:
        return soft_label_loss(logits, shard.first_logits);
      case Target::kTeacher:
        return soft_label_loss(logits, shard.teacher_logits);
    }
    throw std::invalid_argument("[train::Step] unknown target");
  };
  Backwards backwards(!weights_.device().is_cpu());
  for (const StepPass& pass : passes) {
    const graph::Graph& graph = pass.net->graph();
    at::Tensor logits = pass.net->forward(
        bound(weights_, pass, shard.replica), resized(images, graph.input_shape()),
        {.training = true,
         .momentum = pass.fixed_weights ? 0.0 : nn::ForwardOptions{}.momentum,
         .dropout = pass.dropout,
         .drop_path = pass.drop_path,
         .generator = shard.dropout,
         .kernels = options_.kernels,
         .precision = options_.precision});
    at::Tensor sum, loss;
    if (pass.auxiliary_weight > 0) {
      const std::int64_t classes = logits.size(1) / 2;
      sum = label_loss(logits.narrow(1, classes, classes), labels, options_.label_smoothing) *
            (pass.auxiliary_weight / options_.shards);
      logits = logits.narrow(1, 0, classes);
    }
    for (const LossTerm& term : pass.losses) {
      const at::Tensor part = value(term, logits);
      const at::Tensor scaled = part * (term.weight / options_.shards);
      sum = sum.defined() ? sum + scaled : scaled;
      const at::Tensor exact =
          part.detach().to(at::kDouble) * (pass.losses.size() > 1 ? term.weight : 1.0);
      loss = loss.defined() ? loss + exact : exact;
    }
    backwards.add([this, sum, replica = shard.replica,
                   last = &pass == &passes.back() && moves_weights(passes)] {
      if (last) {
        reducer_.begin_last_backward(replica, sum);
      }
      sum.backward();
    });
    if (pass.observe) {
      observed.push_back(
          at::cross_entropy_loss(logits.detach(), labels, /*weight=*/{}, at::Reduction::None));
    }
    if (!shard.first_logits.defined()) {
      shard.first_logits = logits.detach();
    }
    losses.push_back(loss);
  }
  backwards.finish();
  read(losses, observed, shard);
}

/// Every process's losses and observations, of all shards in order.
StepResult Step::gather(const std::vector<Shard>& shards, std::span<const StepPass> passes) {
  // A row for each shard: its loss, then its images' losses in each observed pass. Rows of other
  // processes are zero, so that the sum over the processes has all of them, unchanged.
  std::int64_t width = 1;
  for (const std::vector<float>& observed : shards.front().observed) {
    width += static_cast<std::int64_t>(observed.size());
  }
  const c10::Device device = group_.world_size() > 1 ? weights_.device() : c10::Device(c10::kCPU);
  const at::Tensor rows =
      at::zeros({options_.shards, width}, at::TensorOptions(at::kDouble).device(device));
  for (const Shard& shard : shards) {
    std::vector<double> row{shard.loss};
    for (const std::vector<float>& observed : shard.observed) {
      row.insert(row.end(), observed.begin(), observed.end());
    }
    rows[range_.first + shard.replica].copy_(at::tensor(row, at::kDouble));
  }
  dist::ProcessGroup::Pending pending = group_.all_reduce_sum(rows);
  if (moves_weights(passes)) {
    reducer_.finish(workers_);
  }
  pending.wait();
  const at::Tensor all = rows.cpu();
  const double* values = all.data_ptr<double>();
  std::vector<double> losses;
  for (int s = 0; s < options_.shards; ++s) {
    losses.push_back(values[s * width]);
  }
  StepResult result{.loss = mean(losses), .observations = {}};
  std::int64_t begin = 1;
  for (std::size_t pass = 0, observed = 0; pass < passes.size(); ++pass) {
    if (!passes[pass].observe) {
      continue;
    }
    const auto size = static_cast<std::int64_t>(shards.front().observed[observed++].size());
    Observation observation{.pass = pass, .losses = {}};
    for (int s = 0; s < options_.shards; ++s) {
      const double* part = values + s * width + begin;
      observation.losses.insert(observation.losses.end(), part, part + size);
    }
    begin += size;
    result.observations.push_back(std::move(observation));
  }
  return result;
}

StepResult Step::run(std::int64_t step, std::span<const StepPass> passes,
                     const ShardBatch& batch_of, const Teacher& teacher) {
  check(passes, teacher);
  nn::allow_tf32(options_.precision == nn::Precision::kTf32);
  reducer_.begin();
  std::vector<Shard> shards(static_cast<std::size_t>(range_.count));
  workers_.run([&](int worker) {
    for (int replica = worker; replica < range_.count; replica += workers_.count()) {
      Shard& shard = shards[static_cast<std::size_t>(replica)];
      const int index = range_.first + replica;
      shard.replica = replica;
      shard.dropout = nn::make_generator(
          weights_.device(),
          Rng::derived(options_.seed, {kDropoutStream, static_cast<std::uint64_t>(step),
                                       static_cast<std::uint64_t>(index)})
              .next());
      run_shard(shard, passes, on_device(batch_of(index), weights_.device()), teacher);
    }
  });
  return gather(shards, passes);
}

}  // namespace lathe::train
