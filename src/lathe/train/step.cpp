#include "lathe/train/step.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/train/loss.h"

namespace lathe::train {
namespace {

// A stream of random numbers that must not meet others.
constexpr std::uint64_t kDropoutStream = 0x64726f70;

void require_targets(std::span<const StepPass> passes, const Teacher& teacher) {
  if (passes.empty()) {
    throw std::invalid_argument("[train::Step] needs at least one pass");
  }
  for (std::size_t i = 0; i < passes.size(); ++i) {
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

void Step::run_shard(Shard& shard, std::span<const StepPass> passes, const Batch& batch,
                     const Teacher& teacher) {
  const at::Tensor images = batch.images.to(weights_.device());
  const at::Tensor labels = batch.target().to(weights_.device());
  if (teacher.net != nullptr) {
    const c10::NoGradGuard no_grad;
    shard.teacher_logits = teacher.net->forward(teacher.weights->bind(teacher.net->graph()),
                                                resized(images, teacher.net->graph().input_shape()),
                                                {.kernels = options_.kernels});
  }
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
  for (const StepPass& pass : passes) {
    const graph::Graph& graph = pass.net->graph();
    at::Tensor logits =
        pass.net->forward(bound(weights_, pass, shard.replica),
                          resized(images, graph.input_shape()),
                          {.training = true,
                           .momentum = pass.fixed_weights ? 0.0 : nn::ForwardOptions{}.momentum,
                           .dropout = pass.dropout,
                           .drop_path = pass.drop_path,
                           .generator = shard.dropout,
                           .kernels = options_.kernels});
    at::Tensor sum;
    double loss = 0;
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
      loss += part.item<double>() * (pass.losses.size() > 1 ? term.weight : 1.0);
    }
    if (&pass == &passes.back()) {
      reducer_.begin_last_backward(shard.replica, sum);
    }
    sum.backward();
    if (pass.observe) {
      const at::Tensor each =
          at::cross_entropy_loss(logits.detach(), labels, /*weight=*/{}, at::Reduction::None)
              .to(at::kCPU);
      shard.observed.emplace_back(each.data_ptr<float>(), each.data_ptr<float>() + each.numel());
    }
    if (!shard.first_logits.defined()) {
      shard.first_logits = logits.detach();
      shard.loss = loss;
    } else if (!std::isfinite(loss)) {
      shard.loss = loss;  // a subnet's failure is the step's, as the first net's
    }
  }
}

/// Every process's losses and observations, of all shards in order.
StepResult Step::gather(const std::vector<Shard>& shards, std::span<const StepPass> passes) {
  // A row for each shard: its loss, then its images' losses in each observed pass. Rows of other
  // processes are zero, so that the sum over the processes has all of them, unchanged.
  std::int64_t width = 1;
  for (const std::vector<float>& observed : shards.front().observed) {
    width += static_cast<std::int64_t>(observed.size());
  }
  const at::Tensor rows =
      at::zeros({options_.shards, width}, at::TensorOptions(at::kDouble).device(weights_.device()));
  for (const Shard& shard : shards) {
    std::vector<double> row{shard.loss};
    for (const std::vector<float>& observed : shard.observed) {
      row.insert(row.end(), observed.begin(), observed.end());
    }
    rows[range_.first + shard.replica].copy_(at::tensor(row, at::kDouble));
  }
  dist::ProcessGroup::Pending pending = group_.all_reduce_sum(rows);
  reducer_.finish(workers_);
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
  require_targets(passes, teacher);
  reducer_.begin();
  std::vector<Shard> shards(static_cast<std::size_t>(range_.count));
  workers_.run([&](int worker) {
    for (int replica = worker; replica < range_.count; replica += workers_.count()) {
      Shard& shard = shards[static_cast<std::size_t>(replica)];
      const int index = range_.first + replica;
      shard.replica = replica;
      shard.dropout = at::detail::createCPUGenerator(
          Rng::derived(options_.seed, {kDropoutStream, static_cast<std::uint64_t>(step),
                                       static_cast<std::uint64_t>(index)})
              .next());
      run_shard(shard, passes, batch_of(index), teacher);
    }
  });
  return gather(shards, passes);
}

}  // namespace lathe::train
