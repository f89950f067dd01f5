// All that a training run changes as it goes on: what its checkpoint holds and processes share.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "lathe/dist/process_group.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/space/space.h"
#include "lathe/train/records/checkpoint.h"
#include "lathe/train/records/flat_parts.h"
#include "lathe/train/step/optimizer.h"
#include "lathe/train/strategy.h"
#include "lathe/train/weight_average.h"

namespace lathe::train {

/// Loss, steps and time since something began.
struct Tally {
  double loss = 0;
  std::int64_t steps = 0;
  double seconds = 0;

  void add(double step_loss, double step_seconds) {
    loss += step_loss;
    ++steps;
    seconds += step_seconds;
  }
  double mean_loss() const { return loss / static_cast<double>(steps); }
  double images_per_s(std::int64_t batch_size) const {
    return static_cast<double>(steps * batch_size) / seconds;
  }
};

/// `weights`, `space` and `strategy` must outlive it.
struct TrainState {
  /// No average if `average_decay` is 0. @throws as make_optimizer() and WeightAverage.
  TrainState(nn::SharedWeights& trained, const space::Space& nets, Strategy& plans,
             const OptimizerOptions& options, double average_decay);

  nn::SharedWeights& weights;
  const space::Space& space;
  Strategy& strategy;
  std::unique_ptr<Optimizer> optimizer;
  std::optional<WeightAverage> average;
  std::unique_ptr<nn::SharedWeights> teacher;  ///< the strategy's own, null until there is one
  Tally in_epoch;                              ///< its seconds are none of a checkpoint's

  /// What channel sorts permute beside the weights: flat arrays of the parameters' layout.
  std::vector<at::Tensor> companions() const;
  /// A teacher whose weights are still to be loaded.
  nn::SharedWeights& new_teacher();

  /// What is no tensor: `{"strategy", "updates", "epoch_loss", "epoch_steps"}`.
  nlohmann::json counted() const;
  void restore_counted(const nlohmann::json& counted);

  /// Writes a checkpoint of a run with these settings. @throws Error as save_checkpoint().
  void save(const std::filesystem::path& path, const nlohmann::json& settings,
            std::int64_t steps_done) const;
  /// Becomes what save() wrote. Returns the steps that were done; 0 where there is no file.
  /// @throws Error as load_checkpoint() and check_settings(), or if a part is missing or of another
  /// size, or more steps are counted than there are; the tensors are then as they were.
  std::int64_t restore(const std::filesystem::path& path, const nlohmann::json& settings);

  /// Rank 0's weights and companions become everyone's.
  void share(dist::ProcessGroup& group) const;

 private:
  FlatParts flat_parts() const;
  void restore_tensors(const Checkpoint& checkpoint, const std::string& where);
};

/// Rank 0's tensors become everyone's.
void share(const nn::SharedWeights& weights, dist::ProcessGroup& group);

/// Only the weights of a checkpoint, the moving average where there is one: for evaluation, search
/// and handing over. @throws Error as load_checkpoint and SharedWeights::load_state.
void load_trained(const std::filesystem::path& path, nn::SharedWeights& weights);

}  // namespace lathe::train
