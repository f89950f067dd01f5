// What a runner may say of a net beside how long it takes.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

namespace lathe::measure {

/// Of some runs; what was not said is unset.
struct Reported {
  std::optional<double> compute_ms;        ///< of a run, without transfers to and from the device
  std::optional<double> energy_mj;         ///< of a run
  std::optional<double> device_memory_mb;  ///< the most, in millions of bytes
  /// Clock, temperature, battery, core cluster: a JSON object, as the runner has it; or null.
  nlohmann::json conditions;
  bool operator==(const Reported&) const = default;
};

/// Of several turns together: means, the most memory, the last conditions.
Reported together(std::span<const Reported> turns);

/// Reads the members of a runner's answer that are there: "compute_ms", "energy_mj",
/// "device_memory_mb", "conditions". @throws Error `<where>: ...` unless they are numbers >= 0 and
/// an object.
Reported reported_from_json(const nlohmann::json& answer, const std::string& where);

/// The members that are set.
nlohmann::ordered_json to_json(const Reported& reported);

}  // namespace lathe::measure
