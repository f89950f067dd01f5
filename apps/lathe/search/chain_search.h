// lathe search --chain: a chain of tables in a file searched, without a space or models.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "lathe/search/search_targets.h"

namespace lathe::app {

struct ChainSearchOptions {
  std::filesystem::path chain;
  search::Strategy strategy = search::Strategy::kPareto;
  std::vector<double> targets_ms;  ///< ascending, each once
  bool front = false;              ///< print the whole front too
  bool json = false;
  std::uint64_t seed = 0;      ///< of kRandom
  std::int64_t draws = 50100;  ///< of kRandom, for each target
};

/// The strategies that can: those of chain_targets.h, and kRandom.
bool searches_chains(search::Strategy strategy);

/// Prints for each target the states of the best path, or that there is none; with --json
/// `{"strategy", "targets": [{"target_ms", "feasible", "path": [state of each node], "latency_ms",
/// "error", "bound", "gap"}], "front": [[latency_ms, error], ...], "exact": true}`, of which
/// "targets" and "front" are there where asked for, "bound" and "gap" where the strategy proves
/// one, and an infeasible target has "minimum_ms" alone. Narrow states come first for kGreedy and
/// kUniform: a node's last state is its widest.
/// @throws Error as search::load_raw_chain().
void search_chain_file(const ChainSearchOptions& options);

}  // namespace lathe::app
