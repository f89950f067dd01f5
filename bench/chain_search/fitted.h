// The same of a fitted latency model and of the width scores that training left behind.
#pragma once

#include <filesystem>
#include <vector>

namespace lathe::bench {

/// A line for each of the scores, with the times of the solvers. Whether all answers agree.
/// @throws Error as the loaders, or unless latency and error are sums over the net.
bool print_fitted(const std::filesystem::path& latency,
                  const std::vector<std::filesystem::path>& scores);

}  // namespace lathe::bench
