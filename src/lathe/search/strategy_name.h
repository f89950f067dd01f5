// The names of strategies, as people write them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/search/search_targets.h"

namespace lathe::search {

/// What to_string() gives, in the order of Strategy.
std::vector<std::string> strategy_names();

/// Nothing for another name.
std::optional<Strategy> strategy_named(const std::string& name);

/// `fast`, `normal`, `thorough`.
std::vector<std::string> effort_names();

/// Nothing for another name.
std::optional<Effort> effort_named(const std::string& name);

}  // namespace lathe::search
