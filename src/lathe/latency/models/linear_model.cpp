#include "lathe/latency/models/linear_model.h"

#include <cmath>
#include <stdexcept>

#include "lathe/core/file.h"
#include "lathe/regress/ridge.h"

namespace lathe::latency {
namespace {

constexpr int kLinearVersion = 1;
constexpr const char* kEncoding = "one-hot";

bool area_varies(const space::Space& space) { return space.input_sizes().size() > 1; }

double area_of(const space::Space& space, const space::Arch& arch) {
  const double side = static_cast<double>(space.input_size(arch)) / space.task().input_size;
  return side * side;
}

void check(const std::vector<double>& weights, std::size_t expected, const char* name) {
  if (weights.size() != expected) {
    throw std::invalid_argument("[latency::LinearModel] " + std::string(name) + " must have " +
                                std::to_string(expected) + " values, got " +
                                std::to_string(weights.size()));
  }
  for (const double weight : weights) {
    if (!std::isfinite(weight)) {
      throw std::invalid_argument("[latency::LinearModel] " + std::string(name) +
                                  " must be finite, got " + std::to_string(weight));
    }
  }
}

void require(const nlohmann::json& json, const std::string& key, const nlohmann::json& expected,
             const std::string& where) {
  const auto got = json_member<nlohmann::json>(json, key, where);
  if (got != expected) {
    throw Error(where + ": \"" + key + "\": expected " + expected.dump() + ", got " +
                internal::json_summary(got));
  }
}

}  // namespace

LinearModel::LinearModel(const space::Space& space, LinearCosts costs)
    : space_(&space), costs_(std::move(costs)) {
  const auto bits = static_cast<std::size_t>(space.encoding_size());
  check({costs_.bias_ms}, 1, "bias_ms");
  check(costs_.weights_ms, bits, "weights_ms");
  check(costs_.area_weights_ms, area_varies(space) ? bits : 0, "area_weights_ms");
}

double LinearModel::predict_ms(const space::Arch& arch) const {
  const std::vector<float> bits = space_->encode(arch);
  const double area = area_of(*space_, arch);
  double sum_ms = costs_.bias_ms;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if (bits[i] != 0) {
      sum_ms += costs_.weights_ms[i];
      if (!costs_.area_weights_ms.empty()) {
        sum_ms += area * costs_.area_weights_ms[i];
      }
    }
  }
  return sum_ms;
}

std::unique_ptr<StoredLatencyModel> LinearModel::with_correction(
    const Correction& correction) const {
  LinearCosts costs = costs_;
  costs.bias_ms = correction.apply(costs.bias_ms);
  for (auto* weights : {&costs.weights_ms, &costs.area_weights_ms}) {
    for (double& weight : *weights) {
      weight *= correction.scale;
    }
  }
  costs.validation.reset();
  return std::make_unique<LinearModel>(*space_, std::move(costs));
}

nlohmann::ordered_json LinearModel::to_json() const {
  nlohmann::ordered_json json{{"format", kFormat},
                              {"version", kLinearVersion},
                              {"unit", kLatencyUnit},
                              {"encoding", kEncoding},
                              {"fingerprint", latency::to_json(costs_.fingerprint)},
                              {"validation", nullptr},
                              {"bias_ms", costs_.bias_ms},
                              {"weights_ms", costs_.weights_ms},
                              {"area_weights_ms", costs_.area_weights_ms}};
  if (costs_.validation) {
    json["validation"] = latency::to_json(*costs_.validation);
  }
  return json;
}

void LinearModel::save(const std::filesystem::path& path) const { write_json(path, to_json()); }

LinearModel LinearModel::from_json(const space::Space& space, const nlohmann::json& json,
                                   const std::string& where) {
  require(json, "format", kFormat, where);
  require(json, "version", kLinearVersion, where);
  require(json, "unit", kLatencyUnit, where);
  require(json, "encoding", kEncoding, where);
  LinearCosts costs{.fingerprint = fingerprint_from_json(
                        json_member<nlohmann::json>(json, "fingerprint", where), where)};
  require_space(costs.fingerprint, space, where);
  if (json.contains("validation") && !json["validation"].is_null()) {
    costs.validation = model_error_from_json(json["validation"], where);
  }
  costs.bias_ms = json_member<double>(json, "bias_ms", where);
  costs.weights_ms = json_member<std::vector<double>>(json, "weights_ms", where);
  costs.area_weights_ms = json_member<std::vector<double>>(json, "area_weights_ms", where);
  try {
    return {space, std::move(costs)};
  } catch (const std::invalid_argument& error) {
    throw Error(where + ": " + error.what());
  }
}

LinearModel fit_linear_model(const space::Space& space, const Fingerprint& fingerprint,
                             std::span<const LatencySample> samples) {
  if (samples.size() < kMinLinearSamples) {
    throw std::invalid_argument("[latency::fit_linear_model] needs at least " +
                                std::to_string(kMinLinearSamples) + " samples, got " +
                                std::to_string(samples.size()));
  }
  const Eigen::Index bits = space.encoding_size();
  const bool by_area = area_varies(space);
  const auto n = static_cast<Eigen::Index>(samples.size());
  Eigen::MatrixXd x(n, by_area ? 2 * bits : bits);
  Eigen::VectorXd y(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    const LatencySample& sample = samples[static_cast<std::size_t>(i)];
    const std::vector<float> row = space.encode(sample.arch);
    x.row(i).head(bits) = Eigen::Map<const Eigen::RowVectorXf>(row.data(), bits).cast<double>();
    if (by_area) {
      x.row(i).tail(bits) = area_of(space, sample.arch) * x.row(i).head(bits);
    }
    y[i] = sample.median_ms;
  }
  const regress::RidgeFit fit = regress::fit_ridge(x, y, y.cwiseAbs2().cwiseInverse());
  const auto middle = fit.weights.begin() + bits;
  return {space,
          {.fingerprint = fingerprint,
           .bias_ms = fit.constant,
           .weights_ms = {fit.weights.begin(), middle},
           .area_weights_ms = {middle, fit.weights.end()}}};
}

}  // namespace lathe::latency
