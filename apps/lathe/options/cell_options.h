// The options of a search of cells.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "lathe/run/stages/cell_stage.h"
#include "lathe/run/stages/train_stage.h"

namespace lathe::app {

/// What can't be bound to a job directly.
struct CellOptions {
  run::CellJob job;
  std::string latency_target;  ///< parse_target_ms()
  std::string edges = "two-per-node";
  std::string estimator = "local-expectation";
  std::optional<double> search_lr;                ///< of a command that trains nets too
  std::optional<std::int64_t> search_batch_size;  ///< the same
};

/// Adds those that other methods don't have: --second-order, --latency-weight, --latency-target and
/// so on.
void add_cell_options(CLI::App& command, CellOptions& options);

/// The job by these options and those of training in general that `command` was given: where it was
/// given none, the method's published settings count. To be called once it is parsed.
/// A command that measures latency needs no model of it; it trains nets too, whose the batch size
/// and the optimizer's options are, and has --search-lr and --search-batch-size for the search.
/// @throws CLI::ValidationError where options don't go together.
run::CellJob resolve_cells(CLI::App& command, const CellOptions& options,
                           const run::TrainJob& training, bool measures);

/// Adds those of a command that trains nets too: --search-lr and so on.
void add_search_options(CLI::App& command, CellOptions& options, std::string& search_space);

/// @throws CLI::ValidationError if one of the above was given.
void refuse_cell_options(const CLI::App& command, const std::string& method);

}  // namespace lathe::app
