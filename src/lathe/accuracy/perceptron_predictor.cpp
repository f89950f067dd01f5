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

constexpr const char* kFormat = "lathe-accuracy-predictor 1";
constexpr const char* kPublishedFormat = "pt";
constexpr std::size_t kChunkArchs = 1024;  // bounds the memory of the encoded rows

// The shortest text that reads back as the same number, in every locale.
std::string text_of(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  return {buffer, end};
}

double number_in(const Metadata& metadata, const std::string& key, const std::string& where) {
  const std::string& text = metadata_text(metadata, key, where);
  double value = 0.0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    throw Error(where + ": metadata \"" + key + "\" must be a number, got \"" + text.substr(0, 40) +
                "\"");
  }
  return value;
}

std::string list_of(const std::vector<int>& sizes) {
  std::string text;
  for (const int size : sizes) {
    text += (text.empty() ? "" : ",") + std::to_string(size);
  }
  return text;
}

/// "160,176,192", ascending.
std::vector<int> sizes_from(const std::string& text, const std::string& where) {
  std::vector<int> sizes;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    int size = 0;
    const auto [rest, status] = std::from_chars(at, end, size);
    const bool more = rest != end && *rest == ',' && rest + 1 != end;
    if (status != std::errc() || (rest != end && !more) ||
        size <= (sizes.empty() ? 0 : sizes.back())) {
      throw Error(where + ": metadata \"resolutions\" must be sizes in ascending order such as " +
                  "160,176, got \"" + text.substr(0, 60) + "\"");
    }
    sizes.push_back(size);
    at = more ? rest + 1 : end;
  }
  return sizes;
}

Encoding encoding_in(const Metadata& metadata, const space::Space& space,
                     const std::string& where) {
  const std::string& name = metadata_text(metadata, "encoding", where);
  std::vector<int> sizes;
  if (metadata.contains("resolutions")) {
    sizes = sizes_from(metadata.at("resolutions"), where);
  }
  try {
    return {name, space, std::move(sizes)};
  } catch (const Error& error) {
    throw Error(where + ": " + error.what());
  }
}

PredictorFit fit_in(const SafetensorsFile& file, const std::string& where) {
  const auto activation = regress::hidden_activation_from_string(
      metadata_text(file.metadata, "activation", where), where);
  return {
      .perceptron = regress::Perceptron::from_tensors(file.tensors, activation, where),
      .mean = number_in(file.metadata, "mean", where),
      .scale = number_in(file.metadata, "scale", where),
      .samples = static_cast<int>(std::clamp(number_in(file.metadata, "samples", where), 0.0, 1e9)),
      .rmse = number_in(file.metadata, "rmse", where),
      .kendall_tau = number_in(file.metadata, "kendall_tau", where)};
}

PredictorFit published_fit(const SafetensorsFile& file, const std::string& where) {
  return {.perceptron = regress::Perceptron::from_tensors(file.tensors,
                                                          regress::HiddenActivation::kRelu, where)};
}

void require_finite(const std::string& name, double value) {
  if (!std::isfinite(value)) {
    throw std::invalid_argument("[accuracy::PerceptronPredictor] " + name +
                                " must be finite, got " + std::to_string(value));
  }
}

}  // namespace

PerceptronPredictor::PerceptronPredictor(const space::Space& space, PredictorFit fit)
    : PerceptronPredictor(space, Encoding(space), std::move(fit)) {}

PerceptronPredictor::PerceptronPredictor(const space::Space& space, Encoding encoding,
                                         PredictorFit fit)
    : space_(&space), encoding_(std::move(encoding)), fit_(std::move(fit)) {
  if (fit_.perceptron.inputs() != encoding_.size()) {
    throw std::invalid_argument("[accuracy::PerceptronPredictor] the perceptron must have " +
                                std::to_string(encoding_.size()) + " inputs for space " +
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
  for (std::size_t begin = 0; begin < archs.size(); begin += kChunkArchs) {
    const auto chunk = archs.subspan(begin, std::min(kChunkArchs, archs.size() - begin));
    const std::vector<float> predicted = fit_.perceptron.predict(encoded(chunk));
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      const double accuracy = fit_.mean + fit_.scale * static_cast<double>(predicted[i]);
      out[begin + i] = std::clamp(accuracy, 0.0, 1.0);
    }
  }
}

std::vector<float> PerceptronPredictor::encoded(std::span<const space::Arch> archs) const {
  const auto width = static_cast<std::size_t>(encoding_.size());
  std::vector<float> rows(archs.size() * width);
  for (std::size_t i = 0; i < archs.size(); ++i) {
    encoding_.encode(archs[i], std::span(rows).subspan(i * width, width));
  }
  return rows;
}

std::vector<float> PerceptronPredictor::choice_effects(std::span<const space::Arch> archs) const {
  if (!space_->encodes_choices()) {
    return {};
  }
  const std::vector<float> gradients = fit_.perceptron.gradients(encoded(archs));
  const auto width = static_cast<std::size_t>(encoding_.size());
  std::vector<float> effects;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    for (const float effect : encoding_.by_choice(std::span(gradients).subspan(i * width, width))) {
      effects.push_back(effect * static_cast<float>(fit_.scale));
    }
  }
  return effects;
}

void PerceptronPredictor::save(const std::filesystem::path& path) const {
  save_safetensors(path, {.tensors = fit_.perceptron.to_tensors(),
                          .metadata = {{"format", kFormat},
                                       {"space", space_->name()},
                                       {"encoding", encoding_.name()},
                                       {"resolutions", list_of(encoding_.input_sizes())},
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
  const bool published = metadata_text(file.metadata, "format", where) == kPublishedFormat;
  if (!published) {
    require_metadata(file.metadata, "format", kFormat, where);
  }
  require_metadata(file.metadata, "space", space.name(), where);
  Encoding encoding = encoding_in(file.metadata, space, where);
  PredictorFit fit = published ? published_fit(file, where) : fit_in(file, where);
  if (fit.perceptron.inputs() != encoding.size()) {
    throw Error(where + ": the predictor has " + std::to_string(fit.perceptron.inputs()) +
                " inputs, encoding " + encoding.name() + " of space " + space.name() + " needs " +
                std::to_string(encoding.size()));
  }
  return {space, std::move(encoding), std::move(fit)};
}

}  // namespace lathe::accuracy
