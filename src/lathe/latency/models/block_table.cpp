#include "lathe/latency/models/block_table.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::latency {
namespace {

using space::Block;

constexpr int kTableVersion = 1;
constexpr int kTableVersionWithInputSizes = 2;

void require_equal(const std::string& what, const nlohmann::json& got,
                   const nlohmann::json& expected, const std::string& where) {
  if (got != expected) {
    throw Error(where + ": \"" + what + "\": expected " + expected.dump() + ", got " + got.dump());
  }
}

std::set<std::string> keys_of(const space::Space& space) {
  std::set<std::string> keys;
  for (const Block& block : space.distinct_blocks()) {
    keys.insert(block.key());
  }
  return keys;
}

using Coefficients = std::map<std::string, double>;

std::set<std::string> keys_in(const Coefficients& coefficients_ms) {
  std::set<std::string> keys;
  for (const auto& [key, cost_ms] : coefficients_ms) {
    keys.insert(key);
  }
  return keys;
}

Coefficients coefficients_from_json(const nlohmann::json& json, const std::set<std::string>& known,
                                    bool fitted, const space::Space& space,
                                    const std::string& where) {
  Coefficients coefficients_ms;
  for (const auto& [key, value] : json.items()) {
    if (!known.contains(key)) {
      throw Error(where + ": \"" + key.substr(0, 120) + "\" is no block of space " + space.name());
    }
    const double cost_ms = json_member<double>(json, key, where);
    if (cost_ms < 0 && !fitted) {
      throw Error(where + ": \"" + key + "\": must be >= 0 ms, got " + value.dump());
    }
    coefficients_ms[key] = cost_ms;
  }
  return coefficients_ms;
}

nlohmann::json object_member(const nlohmann::json& json, const std::string& key,
                             const std::string& where) {
  auto member = json_member<nlohmann::json>(json, key, where);
  if (!member.is_object()) {
    throw Error(where + ": \"" + key + "\": expected an object, got " + member.type_name());
  }
  return member;
}

int input_size_from(const std::string& text, const space::Space& space, const std::string& where) {
  for (const int size : space.input_sizes()) {
    if (text == std::to_string(size)) {
      return size;
    }
  }
  throw Error(where + ": \"" + text.substr(0, 40) + "\" is no input size of space " + space.name());
}

void read_coefficients(const nlohmann::json& json, int version, const space::Space& space,
                       const std::string& where, BlockCosts& costs) {
  const std::set<std::string> known = keys_of(space);
  costs.coefficients_ms = coefficients_from_json(object_member(json, "coefficients_ms", where),
                                                 known, costs.fitted, space, where);
  if (version < kTableVersionWithInputSizes) {
    return;
  }
  const std::set<std::string> given = keys_in(costs.coefficients_ms);
  const auto by_size = object_member(json, "coefficients_at_input_size_ms", where);
  for (const auto& [size, coefficients] : by_size.items()) {
    costs.coefficients_at_input_size_ms[input_size_from(size, space, where)] =
        coefficients_from_json(object_member(by_size, size, where), given, costs.fitted, space,
                               where);
  }
}

BlockCosts costs_from_json(const nlohmann::json& json, const space::Space& space,
                           const std::string& where) {
  require_equal("format", json_member<std::string>(json, "format", where), BlockTable::kFormat,
                where);
  const int version = json_member<int>(json, "version", where);
  if (version != kTableVersion && version != kTableVersionWithInputSizes) {
    throw Error(where + ": \"version\": expected 1 or 2, got " + std::to_string(version));
  }
  require_equal("unit", json_member<std::string>(json, "unit", where), kLatencyUnit, where);
  BlockCosts costs;
  costs.fingerprint =
      fingerprint_from_json(json_member<nlohmann::json>(json, "fingerprint", where), where);
  require_space(costs.fingerprint, space, where);
  costs.bias_ms = json_member<double>(json, "bias_ms", where);
  costs.fitted = json.contains("fitted") && json_member<bool>(json, "fitted", where);
  if (json.contains("validation") && !json["validation"].is_null()) {
    costs.validation = model_error_from_json(json["validation"], where);
  }
  read_coefficients(json, version, space, where, costs);
  if (json.contains("evidence")) {
    costs.evidence = block_evidence_from_json(json["evidence"], where + ": \"evidence\"");
  }
  return costs;
}

void check(const Coefficients& coefficients_ms, bool fitted) {
  for (const auto& [key, cost_ms] : coefficients_ms) {
    if (!std::isfinite(cost_ms) || (cost_ms < 0 && !fitted)) {
      throw std::invalid_argument("[latency::BlockTable] the coefficient of \"" + key +
                                  "\" must be >= 0 ms, got " + std::to_string(cost_ms));
    }
  }
}

BlockCosts checked(BlockCosts costs) {
  if (!std::isfinite(costs.bias_ms)) {
    throw std::invalid_argument("[latency::BlockTable] bias_ms must be finite, got " +
                                std::to_string(costs.bias_ms));
  }
  check(costs.coefficients_ms, costs.fitted);
  for (const auto& [size, coefficients_ms] : costs.coefficients_at_input_size_ms) {
    check(coefficients_ms, costs.fitted);
    for (const auto& [key, cost_ms] : coefficients_ms) {
      if (!costs.coefficients_ms.contains(key)) {
        throw std::invalid_argument("[latency::BlockTable] \"" + key + "\" has a coefficient at " +
                                    "input size " + std::to_string(size) + ", but none of its own");
      }
    }
  }
  return costs;
}

/// NaN if there is none.
double coefficient_ms(const BlockCosts& costs, int input_size, const std::string& key) {
  const auto of_size = costs.coefficients_at_input_size_ms.find(input_size);
  if (of_size != costs.coefficients_at_input_size_ms.end()) {
    const auto found = of_size->second.find(key);
    if (found != of_size->second.end()) {
      return found->second;
    }
  }
  const auto found = costs.coefficients_ms.find(key);
  return found == costs.coefficients_ms.end() ? std::nan("") : found->second;
}

}  // namespace

BlockTable::BlockTable(const space::Space& space, BlockCosts costs)
    : space_(&space),
      costs_(checked(std::move(costs))),
      slot_costs_(
          space,
          [&](int slot, const space::Arch& arch) {
            double sum_ms = 0;
            for (const Block& block : space.blocks(arch, slot)) {
              sum_ms += coefficient_ms(costs_, space.input_size(arch), block.key());
            }
            if (std::isnan(sum_ms)) {
              uncovered_.insert(space.input_size(arch));
            }
            return sum_ms;
          },
          costs_.bias_ms) {}

double BlockTable::predict_ms(const space::Arch& arch) const {
  space_->check(arch);
  const double sum_ms = slot_costs_.total(arch);
  if (std::isnan(sum_ms)) {
    for (const Block& block : space_->blocks(arch)) {
      if (!costs_.coefficients_ms.contains(block.key())) {
        throw Error("the latency table of space " + space_->name() + " has no block \"" +
                    block.key() + "\"");
      }
    }
  }
  return sum_ms;
}

bool BlockTable::covers(int input_size) const {
  const std::vector<int> sizes = space_->input_sizes();
  return std::ranges::find(sizes, input_size) != sizes.end() && !uncovered_.contains(input_size);
}

std::vector<Certainty> BlockTable::certainty(std::span<const space::Arch> archs) const {
  if (!costs_.evidence) {
    return {};
  }
  std::vector<std::vector<std::string>> nets;
  for (const space::Arch& arch : archs) {
    nets.emplace_back();
    for (const Block& block : space_->blocks(arch)) {
      nets.back().push_back(block.key());
    }
  }
  return latency::certainty(*costs_.evidence, nets);
}

std::vector<std::string> BlockTable::missing_keys() const {
  std::vector<std::string> missing;
  for (const std::string& key : keys_of(*space_)) {
    if (!costs_.coefficients_ms.contains(key)) {
      missing.push_back(key);
    }
  }
  return missing;
}

BlockTable BlockTable::corrected(const Correction& correction) const {
  BlockCosts costs = costs_;
  costs.bias_ms = correction.apply(costs.bias_ms);
  for (auto& [key, cost_ms] : costs.coefficients_ms) {
    cost_ms *= correction.scale;
  }
  for (auto& [size, coefficients_ms] : costs.coefficients_at_input_size_ms) {
    for (auto& [key, cost_ms] : coefficients_ms) {
      cost_ms *= correction.scale;
    }
  }
  costs.validation.reset();
  costs.evidence.reset();
  return {*space_, std::move(costs)};
}

nlohmann::ordered_json BlockTable::to_json() const {
  const bool by_size = !costs_.coefficients_at_input_size_ms.empty();
  nlohmann::ordered_json json{{"format", kFormat},
                              {"version", by_size ? kTableVersionWithInputSizes : kTableVersion},
                              {"unit", kLatencyUnit},
                              {"fingerprint", latency::to_json(costs_.fingerprint)},
                              {"bias_ms", costs_.bias_ms},
                              {"fitted", costs_.fitted},
                              {"validation", nullptr},
                              {"coefficients_ms", costs_.coefficients_ms}};
  if (costs_.validation) {
    json["validation"] = latency::to_json(*costs_.validation);
  }
  for (const auto& [size, coefficients_ms] : costs_.coefficients_at_input_size_ms) {
    json["coefficients_at_input_size_ms"][std::to_string(size)] = coefficients_ms;
  }
  if (costs_.evidence) {
    json["evidence"] = latency::to_json(*costs_.evidence);
  }
  return json;
}

void BlockTable::save(const std::filesystem::path& path) const { write_json(path, to_json()); }

BlockTable BlockTable::load(const space::Space& space, const std::filesystem::path& path) {
  return from_json(space, read_json(path), path.string());
}

BlockTable BlockTable::from_json(const space::Space& space, const nlohmann::json& json,
                                 const std::string& where) {
  return {space, costs_from_json(json, space, where)};
}

BlockTable calibrated(const BlockTable& table, std::span<const LatencySample> samples) {
  std::vector<double> predicted;
  std::vector<double> measured;
  for (const LatencySample& sample : samples) {
    predicted.push_back(table.predict_ms(sample.arch));
    measured.push_back(sample.median_ms);
  }
  const ModelError error = leave_one_out_error(predicted, measured);
  BlockCosts costs = table.corrected(fit_correction(predicted, measured)).costs();
  costs.validation = error;
  return {table.space(), std::move(costs)};
}

}  // namespace lathe::latency
