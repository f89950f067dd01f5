// One step of a search: logits on one batch, then weights on another.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/dist/process_group.h"
#include "lathe/dist/shard_tree.h"
#include "lathe/nn/executor.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/train/cells/cell_mixer.h"
#include "lathe/train/cells/search_cells.h"
#include "lathe/train/cells/search_state.h"
#include "lathe/train/step/batch.h"
#include "lathe/train/step/step.h"

namespace lathe::train {

/// Batches are one for each shard of this process. What it is made of must outlive it.
class BilevelStep {
 public:
  /// Processes of `group` take the step together. @throws as Step.
  BilevelStep(nn::SharedWeights& weights, CellMixer& mixer, const nn::Executor& net,
              const SearchCellsOptions& options, dist::ProcessGroup& group);

  struct LogitsStep {
    std::int64_t step = 0;
    std::span<const Batch> training;  ///< read by second order alone
    std::span<const Batch> validation;
    double auxiliary = 0;  ///< weight of auxiliary skips
    double rate = 0;       ///< of the weights' optimizer
    double reference = 0;  ///< of the latency goal
  };
  struct LogitsResult {
    double loss = 0;      ///< cross-entropy
    double expected = 0;  ///< latency
    double entropy = 0;   ///< nats
  };
  /// Moves the logits, and the latency's weight where there is a target.
  /// @throws Error if the loss or the logits are not finite, naming the step.
  LogitsResult train_logits(const LogitsStep& with, SearchState& state);

  /// Moves the weights and the running statistics; gives the loss. @throws Error likewise.
  double train_weights(std::int64_t step, std::span<const Batch> batches, double auxiliary,
                       double rate, SearchState& state);

  /// Of the validation loss by the logits, on `batches`.
  double eigenvalue(std::span<const Batch> batches, int iterations, std::uint64_t seed);

  /// The search net as it is now, for evaluation.
  nn::Binding bound() const;

 private:
  enum class By { kWeights, kLogits, kBoth };
  double add_gradients(std::int64_t step, std::span<const Batch> batches, By by, double auxiliary,
                       const std::vector<at::Tensor>& perturbation = {});
  void sum_of_logits();
  double latency_weight(std::int64_t step, const search::CellLogits& logits,
                        SearchState& state) const;
  void add_goal(const LogitsStep& with, SearchState& state, LogitsResult& result);

  nn::SharedWeights& weights_;
  CellMixer& mixer_;
  const nn::Executor& net_;
  const SearchCellsOptions& options_;
  dist::ProcessGroup& group_;
  dist::ShardRange here_;
  Step step_;
};

}  // namespace lathe::train
