// Stage: cells that may answer a latency target, timed, and which of them do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "lathe/core/progress.h"
#include "lathe/measure/collect.h"
#include "lathe/measure/runners/runner.h"
#include "lathe/search/cells/cell_latency.h"
#include "lathe/search/cells/cell_logits.h"
#include "lathe/search/cells/near_target.h"
#include "lathe/space/space.h"

namespace lathe::run {

/// How cells of a target are timed: all in turns, over many seconds, so that what disturbs the
/// machine falls on all alike; in long turns, since the first runs after other nets are slower than
/// those of a net in use.
inline const measure::CollectOptions kCellTurns{
    .timing = {.warmup_runs = 3, .rounds = 8, .runs_per_round = 25, .round_ms = 20},
    .group_size = 200};

struct TimedCells {
  space::Arch arch;  ///< canonical
  double predicted_ms = 0;
  double score = 0;  ///< as search::DerivedNet
  /// The step at which a search for this very target passed it.
  std::optional<std::int64_t> passed_at;
  double measured_ms = 0;
};

/// Cells that may take `target_ms`, each once: the best for limits from 15% above it to 30% below,
/// since a model is off by several percent for cells that a search found; and of those that a
/// search for this target passed near it, which are none where `near` is of another, the latest two
/// in each hundredth of the target.
/// @throws as search::derive_within(); Error if `near` has cells of other kinds than the logits.
std::vector<TimedCells> cells_near(const space::Space& space, const search::CellLogits& logits,
                                   const search::CellLatency& latency,
                                   const std::optional<search::NearTarget>& near, double target_ms,
                                   int max_skips);

/// Sets measured_ms. `path` is a file of latency samples with what was timed: nets that it has are
/// not timed again.
/// @throws Error as latency::SampleLog and measure::collect_samples().
void time_cells(std::span<TimedCells> cells, const space::Space& space, measure::Runner& runner,
                const std::filesystem::path& path, const measure::CollectOptions& options,
                const ProgressFn& progress);

/// Those within the target as measured, in the order in which they answer it. Of a search for it:
/// what that passed and what takes train::kTargetUsed of it or more, the latest first; then what
/// takes most of it. Of another search: the best score first.
std::vector<TimedCells> answering(const std::vector<TimedCells>& cells, double target_ms);

}  // namespace lathe::run
