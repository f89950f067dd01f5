#include "lathe/train/cells/bilevel_step.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/search/cells/derive.h"
#include "lathe/search/cells/expected_latency.h"
#include "lathe/train/cells/hypergradient.h"

namespace lathe::train {
namespace {

constexpr std::uint64_t kPerturbationStream = 0x70657274;
constexpr std::uint64_t kLatencyStream = 0x6c617465;

void require_finite(double value, const char* what, std::int64_t step) {
  if (!std::isfinite(value)) {
    throw Error(std::string("the search has failed at step ") + std::to_string(step) + ": " + what +
                " is not finite; try a lower --lr or --logits-lr");
  }
}

}  // namespace

BilevelStep::BilevelStep(nn::SharedWeights& weights, CellMixer& mixer, const nn::Executor& net,
                         const SearchCellsOptions& options, dist::ProcessGroup& group)
    : weights_(weights),
      mixer_(mixer),
      net_(net),
      options_(options),
      group_(group),
      here_(dist::shards_of(group.rank(), group.world_size(), options.shards)),
      step_(weights, {.shards = options.shards,
                      .threads = options.threads,
                      .label_smoothing = 0,
                      .seed = options.seed,
                      .kernels = options.kernels,
                      .group = &group}) {}

nn::Binding BilevelStep::bound() const {
  nn::Binding binding = weights_.bind(net_.graph());
  mixer_.mix_fixed(binding);
  return binding;
}

/// Adds to replica 0's gradients of the weights, the logits, or both; gives the loss.
double BilevelStep::add_gradients(std::int64_t step, std::span<const Batch> batches, By by,
                                  double auxiliary, const std::vector<at::Tensor>& perturbation) {
  const std::vector<LossTerm> losses{{}};
  const StepPass pass{.net = &net_,
                      .losses = losses,
                      .complete =
                          [&](nn::Binding& binding, int replica) {
                            if (by == By::kWeights) {
                              mixer_.mix_fixed(binding, auxiliary, perturbation);
                            } else {
                              mixer_.mix(binding, replica, auxiliary);
                            }
                          },
                      .fixed_weights = by == By::kLogits};
  const double loss =
      step_
          .run(step, {&pass, 1},
               [&](int shard) { return batches[static_cast<std::size_t>(shard - here_.first)]; })
          .loss;
  if (by != By::kWeights) {
    sum_of_logits();
  }
  return loss;
}

/// The logits' gradients of all shards, those of other processes too, become replica 0's: on the
/// weights' device, where the processes speak with each other.
void BilevelStep::sum_of_logits() {
  const nn::Parameters& logits = mixer_.parameters();
  std::vector<at::Tensor> terms;
  for (int replica = 0; replica < logits.replicas(); ++replica) {
    terms.push_back(logits.grads(replica).to(weights_.device()));
  }
  group_.all_reduce_sum(terms).wait();
  for (int replica = 0; replica < logits.replicas(); ++replica) {
    logits.grads(replica).copy_(terms[static_cast<std::size_t>(replica)]);
  }
}

/// Of latency in this step; follows the target, if there is one, and remembers what met it and what
/// was near it.
double BilevelStep::latency_weight(std::int64_t step, const search::CellLogits& logits,
                                   SearchState& state) const {
  const LatencyGoal& goal = options_.goal;
  if (goal.target == 0) {
    return state.multiplier;
  }
  std::vector<space::Cell> cells = search::derive_cells(logits, options_.max_skips);
  const double now = search::latency_of(cells, *goal.latency) / goal.target;
  const auto most_used = [&] {
    return !state.meeting ||
           now >= search::derived_latency(*state.meeting, *goal.latency, options_.max_skips) /
                      goal.target;
  };
  if (now <= 1 && (now >= kTargetUsed || most_used())) {
    state.meeting = logits;
  }
  if (std::abs(now - 1) <= search::NearTarget::kShare) {
    search::pass(state.passed, {step, now * goal.target, std::move(cells)});
  }
  const double above = now - (kTargetUsed + 1) / 2;
  state.multiplier = std::max(0.0, state.multiplier + goal.ascent * above);
  return std::max(0.0, state.multiplier + kTargetDamping * above);
}

/// Latency and entropy in the gradient of the logits.
void BilevelStep::add_goal(const LogitsStep& with, SearchState& state, LogitsResult& result) {
  const LatencyGoal& goal = options_.goal;
  if (goal.latency != nullptr) {
    Rng rng = Rng::derived(options_.seed, {kLatencyStream, static_cast<std::uint64_t>(with.step)});
    const search::CellLogits logits = mixer_.logits();
    const search::LatencyGradient estimate =
        search::expected_latency(logits, *goal.latency, goal.estimate, rng);
    result.expected = estimate.latency_ms;
    mixer_.add_gradient(estimate.by, latency_weight(with.step, logits, state) / with.reference);
  }
  const at::Tensor entropy = mixer_.entropy();
  result.entropy = entropy.item<double>();
  if (options_.entropy_weight > 0) {
    (entropy * options_.entropy_weight).backward();
  }
}

BilevelStep::LogitsResult BilevelStep::train_logits(const LogitsStep& with, SearchState& state) {
  LogitsResult result;
  if (options_.second_order) {
    const auto gradients = [&](std::span<const Batch> batches, By by) {
      return add_gradients(with.step, batches, by, with.auxiliary);
    };
    second_order_gradient(
        {.weights = &weights_.parameters(),
         .logits = &mixer_.parameters(),
         .training_by_weights = [&] { gradients(with.training, By::kWeights); },
         .training_by_logits = [&] { gradients(with.training, By::kLogits); },
         .validation_by_both = [&] { result.loss = gradients(with.validation, By::kBoth); }},
        {.rate = with.rate,
         .momentum = options_.optimizer.momentum,
         .weight_decay = options_.optimizer.weight_decay,
         .buffer = state.momentum()});
  } else {
    result.loss = add_gradients(with.step, with.validation, By::kLogits, with.auxiliary);
  }
  require_finite(result.loss, "the loss of the cells", with.step);
  add_goal(with, state, result);
  state.logits_optimizer->step(options_.logits_learning_rate);
  require_finite(mixer_.parameters().values().sum().item<double>(), "a weight of the cells",
                 with.step);
  return result;
}

double BilevelStep::train_weights(std::int64_t step, std::span<const Batch> batches,
                                  double auxiliary, double rate, SearchState& state) {
  std::vector<at::Tensor> perturbation;
  if (options_.perturbation > 0) {
    Rng rng = Rng::derived(options_.seed, {kPerturbationStream, static_cast<std::uint64_t>(step)});
    perturbation = mixer_.perturbation(options_.perturbation, rng);
  }
  const double loss = add_gradients(step, batches, By::kWeights, auxiliary, perturbation);
  require_finite(loss, "the loss", step);
  state.optimizer->step(rate);
  return loss;
}

double BilevelStep::eigenvalue(std::span<const Batch> batches, int iterations, std::uint64_t seed) {
  return dominant_eigenvalue(
      mixer_.parameters(), [&] { add_gradients(0, batches, By::kLogits, 0); }, iterations, seed);
}

}  // namespace lathe::train
