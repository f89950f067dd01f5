// Cells that a search for a latency target passed on its way, for whoever can measure them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lathe/space/families/genotype.h"

namespace lathe::search {

/// As derived at a step of a search.
struct PassedCells {
  std::int64_t step = 0;
  double latency = 0;  ///< predicted
  std::vector<space::Cell> cells;
  bool operator==(const PassedCells&) const = default;
};

/// What a search for a target derived when its derived cells took about the target. A model is off
/// by several percent for cells that a search has found, which are unlike those that it was fitted
/// to; of these, some take the target as measured.
struct NearTarget {
  static constexpr int kVersion = 1;
  /// How far from the target, as a share of it, cells still count as near.
  static constexpr double kShare = 0.15;

  double target = 0;  ///< in `unit`
  std::string unit = "ms";
  std::vector<PassedCells> passed;  ///< distinct, the latest last

  /// `{"version": 1, "target": 1.5, "unit": "ms", "passed": [{"step", "latency", "normal",
  /// "reduce"},
  /// ...]}`, cells as space::to_json() has them.
  nlohmann::ordered_json to_json() const;
  /// @throws Error `<where>: ...` for another version, or members that are missing or wrong.
  static NearTarget from_json(const nlohmann::json& json, const std::string& where);
  static NearTarget load(const std::filesystem::path& path);
};

/// Appends what was passed; the same cells passed earlier are no longer listed. O(passed).
void pass(std::vector<PassedCells>& passed, PassedCells now);

nlohmann::ordered_json to_json(const std::vector<PassedCells>& passed);
/// @throws Error `<where> ...` if the list or one of its members is not as written.
std::vector<PassedCells> passed_from_json(const nlohmann::json& json, const std::string& where);

}  // namespace lathe::search
