// The options that limit what nets may cost besides latency.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "lathe/search/problem.h"
#include "search/search_answer.h"

namespace lathe::app {

/// As they are written: numbers, or shares of the largest net.
struct LimitOptions {
  std::string max_macs;
  std::string max_params;
  std::string max_memory_mb;
};

/// Adds --max-macs, --max-params and --max-memory-mb.
void add_limit_options(CLI::App& command, LimitOptions& options);

/// Whether there is a limit.
bool limits_anything(const LimitOptions& options);

/// The limits in numbers. `capability`, if there is one, gets each with what nets of the space
/// have.
search::Constraints constraints(const LimitOptions& options, const space::Space& space,
                                Capability* capability = nullptr);

}  // namespace lathe::app
