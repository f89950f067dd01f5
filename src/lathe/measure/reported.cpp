#include "lathe/measure/reported.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"

namespace lathe::measure {
namespace {

std::optional<double> amount(const nlohmann::json& answer, const char* key,
                             const std::string& where) {
  if (!answer.contains(key)) {
    return std::nullopt;
  }
  const auto value = json_member<double>(answer, key, where);
  if (!std::isfinite(value) || value < 0) {
    throw Error(where + ": \"" + key + "\": expected a number >= 0, got " + answer.at(key).dump());
  }
  return value;
}

template <class Get>
std::vector<double> all_of(std::span<const Reported> turns, const Get& get) {
  std::vector<double> values;
  for (const Reported& turn : turns) {
    if (get(turn)) {
      values.push_back(*get(turn));
    }
  }
  return values;
}

}  // namespace

Reported together(std::span<const Reported> turns) {
  Reported all;
  const auto compute = all_of(turns, [](const Reported& turn) { return turn.compute_ms; });
  const auto energy = all_of(turns, [](const Reported& turn) { return turn.energy_mj; });
  const auto memory = all_of(turns, [](const Reported& turn) { return turn.device_memory_mb; });
  if (!compute.empty()) {
    all.compute_ms = mean(compute);
  }
  if (!energy.empty()) {
    all.energy_mj = mean(energy);
  }
  if (!memory.empty()) {
    all.device_memory_mb = *std::ranges::max_element(memory);
  }
  for (const Reported& turn : turns) {
    if (!turn.conditions.is_null()) {
      all.conditions = turn.conditions;
    }
  }
  return all;
}

Reported reported_from_json(const nlohmann::json& answer, const std::string& where) {
  Reported reported{.compute_ms = amount(answer, "compute_ms", where),
                    .energy_mj = amount(answer, "energy_mj", where),
                    .device_memory_mb = amount(answer, "device_memory_mb", where),
                    .conditions = nullptr};
  if (answer.contains("conditions")) {
    reported.conditions = answer.at("conditions");
    if (!reported.conditions.is_object()) {
      throw Error(where + ": \"conditions\": expected an object, got " +
                  reported.conditions.dump().substr(0, 100));
    }
  }
  return reported;
}

nlohmann::ordered_json to_json(const Reported& reported) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (reported.compute_ms) {
    json["compute_ms"] = *reported.compute_ms;
  }
  if (reported.energy_mj) {
    json["energy_mj"] = *reported.energy_mj;
  }
  if (reported.device_memory_mb) {
    json["device_memory_mb"] = *reported.device_memory_mb;
  }
  if (!reported.conditions.is_null()) {
    json["conditions"] = reported.conditions;
  }
  return json;
}

}  // namespace lathe::measure
