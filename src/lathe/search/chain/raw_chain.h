// A chain as its tables alone, without a space: states of nodes, errors, latencies of edges.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "lathe/space/trellis.h"

namespace lathe::search {

/// A path through the trellis has one state of each node. The trellis' first step chooses that of
/// the first node, its last step costs nothing.
struct RawChain {
  std::vector<std::uint32_t> sizes;  ///< states of each node
  space::Trellis trellis;
  std::vector<double> error;       ///< of each transition: the error of the state that it leads to
  std::vector<double> latency_ms;  ///< of each transition

  /// The state of each node.
  std::vector<std::uint32_t> states(std::span<const std::uint32_t> path) const;
  /// The path through these states.
  space::Path path(std::span<const std::uint32_t> states) const;
};

inline constexpr std::size_t kMaxChainNodes = 10'000;
inline constexpr std::uint64_t kMaxChainEdges = 10'000'000;  ///< between states, of all nodes

/// `{"states": [n0, n1, ...], "error": [[...] for each node], "latency_ms": [[[...]] for each
/// edge]}`: error[i][a] of state a of node i, latency_ms[i][a][b] from state a of node i to state b
/// of the next. All numbers >= 0. Sizes are checked before tables are read.
/// @throws Error `<where>: ...` naming what is missing, unknown, ragged, negative, no number, or
/// too much.
RawChain raw_chain_from_json(const nlohmann::json& json, const std::string& where);
/// @throws Error also as read_json().
RawChain load_raw_chain(const std::filesystem::path& path);

}  // namespace lathe::search
