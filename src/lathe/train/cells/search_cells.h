// Searching cells by gradients: DARTS and PC-DARTS, with latency in the loss or as a limit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "lathe/core/progress.h"
#include "lathe/data/dataset.h"
#include "lathe/dist/process_group.h"
#include "lathe/nn/executor.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/search/cells/cell_latency.h"
#include "lathe/search/cells/expected_latency.h"
#include "lathe/search/cells/near_target.h"
#include "lathe/space/families/cell_search.h"
#include "lathe/train/cells/cell_mixer.h"
#include "lathe/train/step/optimizer.h"

namespace lathe::train {

/// What the search minds beside accuracy: `weight` times the expected latency over a reference is
/// added to the loss of the logits. Both are pure numbers: a weight in 1/ms, as LA-DARTS has it, is
/// this one over the reference.
struct LatencyGoal {
  const search::CellLatency* latency = nullptr;  ///< null: accuracy alone
  std::string unit = "ms";
  double weight = 0;
  /// In `unit`, a limit for the cells that derive_cells() gives of the logits, with max_skips:
  /// those drawn from softmaxes that are far from decided are slower by a quarter or more. Then it
  /// is the reference, and the weight follows by dual ascent of an augmented Lagrangian: before
  /// each step of the logits a multiplier grows by `ascent` times how far the derived cells are
  /// above the middle of kTargetUsed and 1 of the target, as a share of the target, and is never
  /// below 0; the weight is the multiplier and kTargetDamping times that share. The derived cells
  /// keep swinging, by a tenth of the target in short searches; so the result is the latest logits
  /// of the second half whose cells take between kTargetUsed and all of it, or those that take most
  /// of it, unless the multiplier is 0. 0: the reference is the latency of cells drawn evenly.
  double target = 0;
  double ascent = 0.005;
  search::ExpectedLatencyOptions estimate;
};

/// What cells take of a target at least, where it holds the search back.
inline constexpr double kTargetUsed = 0.97;
/// A multiplier alone swings about the target: logits take hundreds of steps to follow it.
inline constexpr double kTargetDamping = 0.3;

struct SearchCellsOptions {
  double epochs = 50;             ///< of half of the training images each
  double first_logits_epoch = 0;  ///< the weights alone are trained until then; PC-DARTS has 15
  bool second_order = false;
  std::int64_t batch_size = 64;
  int shards = 2;   ///< as TrainOptions
  int threads = 2;  ///< shared by the shards of this process
  /// The processes that search together; none: this one alone.
  dist::ProcessGroup* group = nullptr;
  double learning_rate = 0.025;        ///< of the weights; a cosine, epoch by epoch,
  double final_learning_rate = 0.001;  ///< down to this
  OptimizerOptions optimizer{.momentum = 0.9, .weight_decay = 3e-4, .clip_norm = 5};
  double logits_learning_rate = 3e-4;
  OptimizerOptions logits_optimizer{
      .name = "adam", .momentum = 0.5, .beta2 = 0.999, .weight_decay = 1e-3};
  LatencyGoal goal;
  double entropy_weight = 0;  ///< of the softmaxes' mean entropy in the loss of the logits
  double perturbation = 0;    ///< of the softmaxes when weights are trained, uniform (SmoothDARTS)
  double auxiliary_skip = 0;  ///< weight of auxiliary skips at the beginning; falls to 0 (DARTS-)
  /// Stop when the Hessian's dominant eigenvalue, a mean over five epochs, is so many times what it
  /// was five epochs before, and go back to the logits of then (RobustDARTS: 1.3). 0: never.
  double eigenvalue_growth = 0;
  int max_skips = 2;  ///< of the normal cells that are derived
  data::AugmentOptions augment;
  int loader_threads = -1;                ///< for each half, as TrainOptions
  std::int64_t validation_images = 5000;  ///< that the search net is read on each epoch; 0: none
  double checkpoint_s = 300;
  nn::Kernels kernels = nn::Kernels::kLathe;
  std::uint64_t seed = 0;
  std::filesystem::path folder;  ///< gets checkpoint/supernet.safetensors and metrics.jsonl
};

struct SearchedCells {
  search::CellLogits logits;
  /// Derived in the second half, near the goal's target where that held the search back.
  std::vector<search::PassedCells> passed;
  double reference = 0;  ///< of the latency goal, in its unit
  double expected = 0;   ///< latency, likewise
  double derived = 0;    ///< that of the cells derived without a limit, likewise
  double weight = 0;     ///< of the latency goal at the end; with a target its multiplier
  bool stopped_early = false;
};

/// Searches with `weights` and `mixer` of the same net, which has auxiliary skips if the options
/// give them weight. Each step trains the logits on a batch of one half of the training images,
/// with the weights as they are or one step ahead, and then the weights on a batch of the other
/// half. Goes on from the folder's checkpoint if there is one, bit for bit as if it had not
/// stopped. At the end of every epoch a line of metrics is written: losses, learning rate, expected
/// latency, that of the derived cells and its weight, entropy, the derived cells as text,
/// validation top-1 of the search net.
///
/// Of several processes, all call it with the same arguments but for the replicas, of which
/// `weights` and `mixer` need one per shard of theirs, and all get the result; who reads, writes
/// and begins is as in train().
///
/// The same result on the CPU whatever the number of threads is not promised: library convolutions
/// and their gradients sum in an order that depends on it. With the same number it is, and however
/// many processes share the shards, each with as many threads (dist::sums_alike()).
/// @see DARTS, algorithm 1; PC-DARTS, section 4.1; LA-DARTS, section 3. Differs in: Nesterov's
/// momentum; logits' steps leave the running statistics alone.
/// @throws std::invalid_argument if a number is out of range, or the batch no multiple of the
/// shards; Error as load_checkpoint(), if the training images are too few or of one class, if a
/// loss or the logits are not finite, naming the step, if the processes have other versions or
/// options, or if one of them is lost.
SearchedCells search_cells(nn::SharedWeights& weights, CellMixer& mixer,
                           const space::CellSearchNet& net, const data::Dataset& dataset,
                           const SearchCellsOptions& options, const ProgressFn& progress);

/// The halves of the training images, in the classes' proportions: for the weights and the logits.
struct SearchHalves {
  data::Dataset weights;
  data::Dataset logits;
};
SearchHalves search_halves(const data::Dataset& dataset, std::uint64_t seed);

}  // namespace lathe::train
