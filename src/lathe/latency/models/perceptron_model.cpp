#include "lathe/latency/models/perceptron_model.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

#include "lathe/core/file.h"
#include "lathe/core/tensor_map.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/latency/models/linear_model.h"

namespace lathe::latency {
namespace {

constexpr const char* kEncoding = "one-hot";
constexpr std::size_t kChunkArchs = 1024;  // bounds the memory of the encoded rows

nlohmann::ordered_json base_json(const StoredLatencyModel* base) {
  if (const auto* table = dynamic_cast<const BlockTable*>(base)) {
    return table->to_json();
  }
  if (const auto* linear = dynamic_cast<const LinearModel*>(base)) {
    return linear->to_json();
  }
  return nullptr;
}

std::unique_ptr<StoredLatencyModel> base_from_json(const space::Space& space,
                                                   const nlohmann::json& json,
                                                   const std::string& where) {
  if (json.is_null()) {
    return nullptr;
  }
  if (json_member<std::string>(json, "format", where) == LinearModel::kFormat) {
    return std::make_unique<LinearModel>(LinearModel::from_json(space, json, where));
  }
  return std::make_unique<BlockTable>(BlockTable::from_json(space, json, where));
}

}  // namespace

PerceptronModel::PerceptronModel(const space::Space& space, LatencyPerceptron fit,
                                 std::unique_ptr<StoredLatencyModel> base)
    : space_(&space), fit_(std::move(fit)), base_(std::move(base)) {
  if (fit_.perceptron.inputs() != space.encoding_size()) {
    throw std::invalid_argument("[latency::PerceptronModel] the perceptron must have " +
                                std::to_string(space.encoding_size()) + " inputs for space " +
                                space.name() + ", got " + std::to_string(fit_.perceptron.inputs()));
  }
  if (!std::isfinite(fit_.mean_ms) || !std::isfinite(fit_.scale_ms)) {
    throw std::invalid_argument("[latency::PerceptronModel] mean_ms and scale_ms must be finite");
  }
}

double PerceptronModel::predict_ms(const space::Arch& arch) const {
  double ms = 0.0;
  predict_ms({&arch, 1}, {&ms, 1});
  return ms;
}

void PerceptronModel::predict_ms(std::span<const space::Arch> archs,
                                 std::span<double> out_ms) const {
  if (base_ != nullptr) {
    base_->predict_ms(archs, out_ms);
  } else if (archs.size() != out_ms.size()) {
    throw std::invalid_argument("[latency::PerceptronModel::predict_ms] out_ms must have " +
                                std::to_string(archs.size()) + " values, got " +
                                std::to_string(out_ms.size()));
  } else {
    std::ranges::fill(out_ms, 0.0);
  }
  std::vector<float> rows;
  for (std::size_t begin = 0; begin < archs.size(); begin += kChunkArchs) {
    const std::size_t end = std::min(archs.size(), begin + kChunkArchs);
    rows.clear();
    for (std::size_t i = begin; i < end; ++i) {
      const std::vector<float> row = space_->encode(archs[i]);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    const std::vector<float> predicted = fit_.perceptron.predict(rows);
    for (std::size_t i = begin; i < end; ++i) {
      out_ms[i] += fit_.mean_ms + fit_.scale_ms * static_cast<double>(predicted[i - begin]);
    }
  }
}

std::unique_ptr<StoredLatencyModel> PerceptronModel::with_correction(
    const Correction& correction) const {
  LatencyPerceptron fit = fit_;
  fit.mean_ms = correction.apply(fit.mean_ms);
  fit.scale_ms *= correction.scale;
  fit.validation.reset();
  auto base = base_ == nullptr ? nullptr
                               : base_->with_correction({.bias_ms = 0, .scale = correction.scale});
  return std::make_unique<PerceptronModel>(*space_, std::move(fit), std::move(base));
}

void PerceptronModel::save(const std::filesystem::path& path) const {
  nlohmann::ordered_json model{{"fingerprint", to_json(fit_.fingerprint)},
                               {"validation", nullptr},
                               {"mean_ms", fit_.mean_ms},
                               {"scale_ms", fit_.scale_ms},
                               {"base", base_json(base_.get())}};
  if (fit_.validation) {
    model["validation"] = to_json(*fit_.validation);
  }
  save_safetensors(path, {.tensors = fit_.perceptron.to_tensors(),
                          .metadata = {{"format", kFormat},
                                       {"unit", kLatencyUnit},
                                       {"encoding", kEncoding},
                                       {"activation", to_string(fit_.perceptron.activation())},
                                       {"model", model.dump()}}});
}

PerceptronModel PerceptronModel::load(const space::Space& space,
                                      const std::filesystem::path& path) {
  const SafetensorsFile file = load_safetensors(path);
  const std::string where = path.string();
  require_metadata(file.metadata, "format", kFormat, where);
  require_metadata(file.metadata, "unit", kLatencyUnit, where);
  require_metadata(file.metadata, "encoding", kEncoding, where);
  const nlohmann::json model = parse_json(metadata_text(file.metadata, "model", where), where);
  Fingerprint fingerprint =
      fingerprint_from_json(json_member<nlohmann::json>(model, "fingerprint", where), where);
  require_space(fingerprint, space, where);
  const auto activation = regress::hidden_activation_from_string(
      metadata_text(file.metadata, "activation", where), where);
  LatencyPerceptron fit{
      .fingerprint = std::move(fingerprint),
      .perceptron = regress::Perceptron::from_tensors(file.tensors, activation, where),
      .mean_ms = json_member<double>(model, "mean_ms", where),
      .scale_ms = json_member<double>(model, "scale_ms", where)};
  if (model.contains("validation") && !model["validation"].is_null()) {
    fit.validation = model_error_from_json(model["validation"], where);
  }
  auto base = base_from_json(space, model.value("base", nlohmann::json()), where);
  if (fit.perceptron.inputs() != space.encoding_size()) {
    throw Error(where + ": expected " + std::to_string(space.encoding_size()) +
                " inputs, the encoding of space " + space.name() + ", got " +
                std::to_string(fit.perceptron.inputs()));
  }
  return {space, std::move(fit), std::move(base)};
}

}  // namespace lathe::latency
