// The whole of a search of cells: measure, search once, derive for every target, verify, train each
// answer, hand over.
#pragma once

#include "lathe/core/progress.h"
#include "lathe/run/options.h"
#include "lathe/run/result.h"
#include "lathe/run/run_folder.h"
#include "lathe/run/stages/cell_stage.h"

namespace lathe::run {

/// Of latency in a search that serves several targets: cells are as good as those of a search for
/// accuracy alone or better, and faster (docs/cell_search.md).
inline constexpr double kRunLatencyWeight = 0.06;

struct CellRunOptions : SpecializeOptions {
  /// Data, the space of the nets that are handed over (empty: default_cell_net_space()), and how
  /// each is trained from random weights, for `from_scratch_epochs`.
  TrainJob training;
  /// Its space is the search net's. It knows no limits: those are for what is derived from it.
  CellJob search;
};

/// The nets for images of that size, unless others are asked for.
std::string default_cell_net_space(int image_size);

/// The device is measured with whole nets (measure_device()); one search serves all targets, and
/// nets are derived for each exactly (search::derive_within()), and for limits a little above and
/// below it; of these and of those that a search for that target passed near it (all timed, and
/// kept in timed_cells.jsonl; by a session of one of them they become sessions' times) the best
/// that holds when measured wins; each winner is trained from scratch; a target whose answer is
/// worse on the validation images than a faster target's gets that one. Stages are kept in the
/// folder, the search in its folder `search`, and resumed as in run().
/// @throws Error as measure_device() and search_stage(); std::invalid_argument as ask(), or if
/// from_scratch_epochs is not > 0.
RunResult run_cells(const CellRunOptions& options, const RunFolder& folder,
                    const ProgressFn& progress);

}  // namespace lathe::run
