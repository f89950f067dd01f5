// One optimisation step: the gradient of several nets that share weights on one batch.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "lathe/dist/process_group.h"
#include "lathe/dist/shard_tree.h"
#include "lathe/nn/executor.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/nn/threads.h"
#include "lathe/train/step/batch.h"
#include "lathe/train/step/gradient_reducer.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

struct StepOptions {
  /// Parts that a batch is split into, as in data-parallel training: each runs on a thread of its
  /// own, has batch-norm statistics of its own, and their gradients are averaged. The result
  /// depends on it, but not on how many threads there are to run them.
  int shards = 2;
  int threads = 2;  ///< shared by the shards of this process
  double label_smoothing = 0.1;
  std::uint64_t seed = 0;  ///< of dropout, with the step and the shard
  nn::Kernels kernels = nn::Kernels::kLathe;
  /// Of every pass, the teacher's too; it decides for all of this process whether TF32 is allowed.
  nn::Precision precision = nn::Precision::kFloat32;
  /// The processes that share the shards, each executing a run of them (dist::shards_of()); it must
  /// outlive the step. None: this process alone. The result is the same to the bit where
  /// dist::sums_alike() says so and each shard has as many threads.
  dist::ProcessGroup* group = nullptr;
  GradientReducerOptions reducer;
};

/// How many of `shards` this process executes, which is how many replicas its weights need; all of
/// them if `group` is null. @throws as dist::shards_of().
int shards_here(const dist::ProcessGroup* group, int shards);

/// A net that takes part in a step, and how.
struct StepPass {
  const nn::Executor* net = nullptr;
  std::span<const LossTerm> losses;
  bool dropout = false;
  bool observe = false;
  double drop_path = 0;  ///< as nn::ForwardOptions
  /// Of the label loss of an auxiliary head, whose logits follow the net's own, as many; 0: there
  /// is none. It is part of no reported loss.
  double auxiliary_weight = 0;
  /// Adds to the net's binding what the weights don't hold: what its sums are mixed by. Called on
  /// the threads of the replicas.
  std::function<void(nn::Binding& binding, int replica)> complete = {};
  /// No gradient of the weights, and running statistics as they were: the pass is for what
  /// `complete` added, whose gradients stay where they are. All passes of a step, or none.
  bool fixed_weights = false;
};

/// A net that gives soft labels and isn't trained; it runs with its running statistics.
struct Teacher {
  const nn::SharedWeights* weights = nullptr;
  const nn::Executor* net = nullptr;
};

struct StepResult {
  /// Mean over the shards of the first pass's loss; not finite if any pass's is not.
  double loss = 0;
  std::vector<Observation> observations;
};

/// Executes steps on `weights`, which must outlive it, on their device. A step waits for the device
/// once, when all passes of a shard are launched, to say what the losses were.
class Step {
 public:
  /// @throws std::invalid_argument if `weights` has not a replica per shard of this process, or an
  /// option is < 1; Error if the processes can't share the shards evenly.
  Step(nn::SharedWeights& weights, const StepOptions& options);

  /// Gives the images of a shard, as many for each; called on the shard's thread.
  using ShardBatch = std::function<Batch(int shard)>;

  /// Adds the mean over the shards of the passes' gradients to weights.parameters().grads(), the
  /// other replicas' left zero, and updates the running statistics (on each process those of its
  /// first shard). Each pass's images are resized (bilinear) where its net has another input than
  /// they. Shards' gradients are added in a fixed tree, neighbours first. `step` decides dropout.
  /// All processes get the same result.
  /// @throws std::invalid_argument if there is no pass, a pass's target is a teacher and there is
  /// none, the first pass's is the first pass, or only some have fixed weights; Error if another
  /// process is lost.
  StepResult run(std::int64_t step, std::span<const StepPass> passes, const ShardBatch& batch_of,
                 const Teacher& teacher = {});

  nn::Workers& workers() { return workers_; }

 private:
  struct Shard;
  void run_shard(Shard& shard, std::span<const StepPass> passes, const Batch& batch,
                 const Teacher& teacher);
  static void read(const std::vector<at::Tensor>& losses, const std::vector<at::Tensor>& observed,
                   Shard& shard);
  StepResult gather(const std::vector<Shard>& shards, std::span<const StepPass> passes);
  static bool moves_weights(std::span<const StepPass> passes) {
    return !passes.front().fixed_weights;
  }

  nn::SharedWeights& weights_;
  StepOptions options_;
  dist::ProcessGroup alone_;
  dist::ProcessGroup& group_;
  dist::ShardRange range_;  // of this process
  nn::Workers workers_;
  GradientReducer reducer_;
};

}  // namespace lathe::train
