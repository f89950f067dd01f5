#include "lathe/latency/block_table.h"

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

constexpr const char* kFormat = "lathe-block-table";
constexpr int kVersion = 1;
constexpr const char* kUnit = "ms";

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

BlockCosts costs_from_json(const nlohmann::json& json, const space::Space& space,
                           const std::string& where) {
  require_equal("format", json_member<std::string>(json, "format", where), kFormat, where);
  require_equal("version", json_member<int>(json, "version", where), kVersion, where);
  require_equal("unit", json_member<std::string>(json, "unit", where), kUnit, where);
  BlockCosts costs;
  costs.fingerprint =
      fingerprint_from_json(json_member<nlohmann::json>(json, "fingerprint", where), where);
  require_space(costs.fingerprint, space, where);
  costs.bias_ms = json_member<double>(json, "bias_ms", where);
  if (json.contains("validation") && !json["validation"].is_null()) {
    costs.validation = model_error_from_json(json["validation"], where);
  }
  const auto coefficients = json_member<nlohmann::json>(json, "coefficients_ms", where);
  if (!coefficients.is_object()) {
    throw Error(where + ": \"coefficients_ms\": expected an object, got " +
                coefficients.type_name());
  }
  const std::set<std::string> known = keys_of(space);
  for (const auto& [key, value] : coefficients.items()) {
    if (!known.contains(key)) {
      throw Error(where + ": \"" + key.substr(0, 120) + "\" is no block of space " + space.name());
    }
    const double cost_ms = json_member<double>(coefficients, key, where);
    if (cost_ms < 0) {
      throw Error(where + ": \"" + key + "\": must be >= 0 ms, got " + value.dump());
    }
    costs.coefficients_ms[key] = cost_ms;
  }
  return costs;
}

}  // namespace

std::size_t BlockTable::BlockHash::operator()(const Block& b) const noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&hash](int value) {
    hash = (hash ^ static_cast<std::uint32_t>(value)) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 32;
  };
  mix(static_cast<int>(b.kind));
  mix(b.input.channels);
  mix(b.input.height);
  mix(b.output.channels);
  mix(b.mid_channels);
  mix(b.kernel * 16 + b.stride);
  return static_cast<std::size_t>(hash);
}

bool BlockTable::SameWork::operator()(const Block& a, const Block& b) const noexcept {
  return a.kind == b.kind && a.input == b.input && a.output == b.output && a.kernel == b.kernel &&
         a.stride == b.stride && a.mid_channels == b.mid_channels &&
         a.squeeze_excite == b.squeeze_excite && a.residual == b.residual &&
         a.batch_norm == b.batch_norm && a.activation == b.activation;
}

BlockTable::BlockTable(const space::Space& space, BlockCosts costs)
    : space_(&space), costs_(std::move(costs)) {
  if (!std::isfinite(costs_.bias_ms)) {
    throw std::invalid_argument("[latency::BlockTable] bias_ms must be finite, got " +
                                std::to_string(costs_.bias_ms));
  }
  for (const auto& [key, cost_ms] : costs_.coefficients_ms) {
    if (!std::isfinite(cost_ms) || cost_ms < 0) {
      throw std::invalid_argument("[latency::BlockTable] the coefficient of \"" + key +
                                  "\" must be >= 0 ms, got " + std::to_string(cost_ms));
    }
  }
  for (Block& block : space.distinct_blocks()) {
    const auto found = costs_.coefficients_ms.find(block.key());
    if (found != costs_.coefficients_ms.end()) {
      by_block_.emplace(std::move(block), found->second);
    }
  }
}

double BlockTable::coefficient_ms(const Block& block) const {
  const auto cached = by_block_.find(block);
  if (cached != by_block_.end()) {
    return cached->second;
  }
  const auto found = costs_.coefficients_ms.find(block.key());
  if (found == costs_.coefficients_ms.end()) {
    throw Error("the latency table of space " + space_->name() + " has no block \"" + block.key() +
                "\"");
  }
  return found->second;
}

double BlockTable::predict_ms(const space::Arch& arch) const {
  double sum_ms = costs_.bias_ms;
  for (const Block& block : space_->blocks(arch)) {
    sum_ms += coefficient_ms(block);
  }
  return sum_ms;
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
  costs.validation.reset();
  return {*space_, std::move(costs)};
}

void BlockTable::save(const std::filesystem::path& path) const {
  nlohmann::ordered_json json{{"format", kFormat},
                              {"version", kVersion},
                              {"unit", kUnit},
                              {"fingerprint", to_json(costs_.fingerprint)},
                              {"bias_ms", costs_.bias_ms},
                              {"validation", nullptr},
                              {"coefficients_ms", costs_.coefficients_ms}};
  if (costs_.validation) {
    json["validation"] = to_json(*costs_.validation);
  }
  write_json(path, json);
}

BlockTable BlockTable::load(const space::Space& space, const std::filesystem::path& path) {
  return {space, costs_from_json(read_json(path), space, path.string())};
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
