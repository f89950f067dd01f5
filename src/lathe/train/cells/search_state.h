// All that a search of cells changes as it goes on: what its checkpoint holds.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lathe/dist/process_group.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/search/cells/cell_logits.h"
#include "lathe/search/cells/near_target.h"
#include "lathe/train/cells/cell_mixer.h"
#include "lathe/train/records/train_state.h"
#include "lathe/train/step/optimizer.h"

namespace lathe::train {

struct SearchCellsOptions;

/// `weights` and `mixer` must outlive it.
struct SearchState {
  /// @throws as make_optimizer().
  SearchState(nn::SharedWeights& searched, CellMixer& mixed, const SearchCellsOptions& options);

  nn::SharedWeights& weights;
  CellMixer& mixer;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Optimizer> logits_optimizer;
  double multiplier = 0;  ///< weight of the latency goal
  double expected = 0;    ///< latency, at the last step
  double entropy = 0;     ///< likewise
  /// The latest logits whose derived cells met the goal's target and used it, or used most of it.
  std::optional<search::CellLogits> meeting;
  std::vector<search::PassedCells> passed;  ///< as search::NearTarget has them
  std::vector<double> eigenvalues;          ///< by epoch
  std::vector<search::CellLogits> history;  ///< likewise
  bool stopped = false;
  struct {
    Tally weights, logits;
  } epoch;

  /// The weights' momentum; undefined where the optimizer has none.
  at::Tensor momentum() const;

  /// Whether cells would take more than the goal's target if it weren't there.
  bool held_back() const { return meeting && multiplier > 0; }
  /// What the search gives: where the goal's target holds it back, the latest that met it.
  search::CellLogits found() const { return held_back() ? *meeting : mixer.logits(); }
  void forget_target() {
    meeting.reset();
    passed.clear();
  }

  /// What is no tensor.
  nlohmann::json counted() const;
  /// @throws Error naming `where` if a member is missing or of another kind.
  void restore_counted(const nlohmann::json& counted, const std::string& where);

  /// Rank 0's tensors become everyone's.
  void share(dist::ProcessGroup& group) const;

  /// @throws Error as save_checkpoint().
  void save(const std::filesystem::path& path, const nlohmann::json& settings,
            std::int64_t steps_done) const;
  /// Becomes what save() wrote. Returns the steps that were done; 0 where there is no file.
  /// @throws Error as load_checkpoint() and check_settings(), or if a part is missing or of another
  /// size; the tensors are then as they were.
  std::int64_t restore(const std::filesystem::path& path, const nlohmann::json& settings);
};

}  // namespace lathe::train
