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

}  // namespace

/// What one shard has beside its batch.
struct Step::Shard {
  int index = 0;
  at::Generator dropout;
  at::Tensor first_logits;
  at::Tensor teacher_logits;
  double loss = 0;
  std::vector<std::vector<float>> observed;
};

Step::Step(nn::SharedWeights& weights, const StepOptions& options)
    : weights_(weights),
      options_(options),
      workers_(std::max(1, std::min(options.shards, options.threads)),
               std::max(1, options.threads / std::max(1, options.shards))) {
  if (options.shards < 1 || options.threads < 1 ||
      weights.parameters().replicas() != options.shards) {
    throw std::invalid_argument(
        "[train::Step] shards and threads must be >= 1 and the weights have a replica per shard, "
        "got " +
        std::to_string(options.shards) + ", " + std::to_string(options.threads) + " and " +
        std::to_string(weights.parameters().replicas()) + " replicas");
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
    const at::Tensor logits =
        pass.net->forward(weights_.bind(graph, shard.index), resized(images, graph.input_shape()),
                          {.training = true,
                           .dropout = pass.dropout,
                           .generator = shard.dropout,
                           .kernels = options_.kernels});
    at::Tensor sum;
    double loss = 0;
    for (const LossTerm& term : pass.losses) {
      const at::Tensor part = value(term, logits);
      const at::Tensor scaled = part * (term.weight / options_.shards);
      sum = sum.defined() ? sum + scaled : scaled;
      loss += part.item<double>() * (pass.losses.size() > 1 ? term.weight : 1.0);
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

StepResult Step::run(std::int64_t step, std::span<const StepPass> passes,
                     const ShardBatch& batch_of, const Teacher& teacher) {
  require_targets(passes, teacher);
  std::vector<Shard> shards(static_cast<std::size_t>(options_.shards));
  workers_.run([&](int worker) {
    for (int s = worker; s < options_.shards; s += workers_.count()) {
      Shard& shard = shards[static_cast<std::size_t>(s)];
      shard.index = s;
      shard.dropout = at::detail::createCPUGenerator(
          Rng::derived(options_.seed, {kDropoutStream, static_cast<std::uint64_t>(step),
                                       static_cast<std::uint64_t>(s)})
              .next());
      run_shard(shard, passes, batch_of(s), teacher);
    }
  });
  const nn::Parameters& parameters = weights_.parameters();
  {
    const c10::NoGradGuard no_grad;
    for (int stride = 1; stride < options_.shards; stride *= 2) {
      for (int s = 0; s + stride < options_.shards; s += 2 * stride) {
        parameters.grads(s).add_(parameters.grads(s + stride));
        parameters.grads(s + stride).zero_();
      }
    }
  }
  std::vector<double> losses;
  for (const Shard& shard : shards) {
    losses.push_back(shard.loss);
  }
  StepResult result{.loss = mean(losses), .observations = {}};
  std::size_t observed = 0;
  for (std::size_t pass = 0; pass < passes.size(); ++pass) {
    if (!passes[pass].observe) {
      continue;
    }
    Observation observation{.pass = pass, .losses = {}};
    for (const Shard& shard : shards) {
      const std::vector<float>& part = shard.observed[observed];
      observation.losses.insert(observation.losses.end(), part.begin(), part.end());
    }
    result.observations.push_back(std::move(observation));
    ++observed;
  }
  return result;
}

}  // namespace lathe::train
