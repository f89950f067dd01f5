// How fast cells are searched: steps on made-up images.
#pragma once

#include <cstdint>
#include <vector>

#include "lathe/nn/executor.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/space/families/cell_search.h"
#include "lathe/train/cells/bilevel_step.h"
#include "lathe/train/cells/cell_mixer.h"
#include "lathe/train/cells/search_cells.h"

namespace lathe::train {

struct SearchWork {
  space::CellSearchOptions net;
  bool edge_weights = false;
  bool second_order = false;
  std::int64_t batch_size = 16;
  int shards = 2;
  int threads = 2;
  c10::Device device = c10::kCPU;
  nn::Kernels kernels = nn::Kernels::kLathe;
  bool channels_last = true;  ///< memory layout of the images; else NCHW
  std::uint64_t seed = 1;
};

/// One step is exactly what search_cells() does for two batches, augmentation apart: the logits on
/// one of them, then the weights on the other.
class SearchBenchmark {
 public:
  /// @throws std::invalid_argument as space::cell_search_graph(), or if the batch isn't a multiple
  /// of the shards.
  SearchBenchmark(const space::CellSpec& spec, const SearchWork& work);
  /// Gives the training loss.
  double step();
  /// Of the search net, for one image.
  std::int64_t macs() const;

 private:
  SearchCellsOptions options_;
  space::CellSearchNet net_;
  nn::SharedWeights weights_;
  CellMixer mixer_;
  nn::Executor executor_;
  dist::ProcessGroup alone_;
  BilevelStep step_;
  SearchState state_;
  std::vector<Batch> training_, validation_;  // by shard
};

}  // namespace lathe::train
