#include "lathe/accuracy/perceptron_predictor.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/tensor_map.h"

namespace lathe::accuracy {
namespace {

using Metadata = std::map<std::string, std::string>;

constexpr const char* kFormat = "lathe-accuracy-predictor 1";
constexpr const char* kEncoding = "one-hot";
constexpr std::size_t kChunkArchs = 1024;  // bounds the memory of the encoded rows

// The shortest text that reads back as the same number, in every locale.
std::string text_of(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  return {buffer, end};
}

const std::string& text_in(const Metadata& metadata, const std::string& key,
                           const std::string& where) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    throw Error(where + ": metadata \"" + key + "\" is missing");
  }
  return found->second;
}

double number_in(const Metadata& metadata, const std::string& key, const std::string& where) {
  const std::string& text = text_in(metadata, key, where);
  double value = 0.0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    throw Error(where + ": metadata \"" + key + "\" must be a number, got \"" + text.substr(0, 40) +
                "\"");
  }
  return value;
}

void require_text(const Metadata& metadata, const std::string& key, const std::string& expected,
                  const std::string& where) {
  const std::string& text = text_in(metadata, key, where);
  if (text != expected) {
    throw Error(where + ": metadata \"" + key + "\" must be \"" + expected + "\", got \"" +
                text.substr(0, 60) + "\"");
  }
}

void require_finite(const std::string& name, double value) {
  if (!std::isfinite(value)) {
    throw std::invalid_argument("[accuracy::PerceptronPredictor] " + name +
                                " must be finite, got " + std::to_string(value));
  }
}

}  // namespace

PerceptronPredictor::PerceptronPredictor(const space::Space& space, PredictorFit fit)
    : space_(&space), fit_(std::move(fit)) {
  if (fit_.perceptron.inputs() != space.encoding_size()) {
    throw std::invalid_argument("[accuracy::PerceptronPredictor] the perceptron must have " +
                                std::to_string(space.encoding_size()) + " inputs for space " +
                                space.name() + ", got " + std::to_string(fit_.perceptron.inputs()));
  }
  require_finite("mean", fit_.mean);
  require_finite("scale", fit_.scale);
  require_finite("rmse", fit_.rmse);
  require_finite("kendall_tau", fit_.kendall_tau);
}

void PerceptronPredictor::predict(std::span<const space::Arch> archs, std::span<double> out) const {
  if (archs.size() != out.size()) {
    throw std::invalid_argument("[accuracy::PerceptronPredictor::predict] out must have " +
                                std::to_string(archs.size()) + " values, got " +
                                std::to_string(out.size()));
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
      const double accuracy = fit_.mean + fit_.scale * static_cast<double>(predicted[i - begin]);
      out[i] = std::clamp(accuracy, 0.0, 1.0);
    }
  }
}

std::vector<float> PerceptronPredictor::choice_effects(std::span<const space::Arch> archs) const {
  std::vector<float> rows;
  for (const space::Arch& arch : archs) {
    const std::vector<float> row = space_->encode(arch);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  std::vector<float> effects = fit_.perceptron.gradients(rows);
  for (float& effect : effects) {
    effect *= static_cast<float>(fit_.scale);
  }
  return effects;
}

void PerceptronPredictor::save(const std::filesystem::path& path) const {
  save_safetensors(path, {.tensors = fit_.perceptron.to_tensors(),
                          .metadata = {{"format", kFormat},
                                       {"space", space_->name()},
                                       {"encoding", kEncoding},
                                       {"activation", to_string(fit_.perceptron.activation())},
                                       {"mean", text_of(fit_.mean)},
                                       {"scale", text_of(fit_.scale)},
                                       {"samples", std::to_string(fit_.samples)},
                                       {"rmse", text_of(fit_.rmse)},
                                       {"kendall_tau", text_of(fit_.kendall_tau)}}});
}

PerceptronPredictor PerceptronPredictor::load(const space::Space& space,
                                              const std::filesystem::path& path) {
  const SafetensorsFile file = load_safetensors(path);
  const std::string where = path.string();
  require_text(file.metadata, "format", kFormat, where);
  require_text(file.metadata, "space", space.name(), where);
  require_text(file.metadata, "encoding", kEncoding, where);
  const auto activation =
      regress::hidden_activation_from_string(text_in(file.metadata, "activation", where), where);
  PredictorFit fit{
      .perceptron = regress::Perceptron::from_tensors(file.tensors, activation, where),
      .mean = number_in(file.metadata, "mean", where),
      .scale = number_in(file.metadata, "scale", where),
      .samples = static_cast<int>(std::clamp(number_in(file.metadata, "samples", where), 0.0, 1e9)),
      .rmse = number_in(file.metadata, "rmse", where),
      .kendall_tau = number_in(file.metadata, "kendall_tau", where)};
  if (fit.perceptron.inputs() != space.encoding_size()) {
    throw Error(where + ": the predictor has " + std::to_string(fit.perceptron.inputs()) +
                " inputs, space " + space.name() + " needs " +
                std::to_string(space.encoding_size()));
  }
  return {space, std::move(fit)};
}

}  // namespace lathe::accuracy
