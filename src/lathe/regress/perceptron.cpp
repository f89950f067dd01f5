#include "lathe/regress/perceptron.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"

namespace lathe::regress {
namespace {

// Rows are worked through in chunks of this many: the hidden activations stay in the cache.
constexpr std::int64_t kChunkRows = 192;

void activate(HiddenActivation activation, std::span<float> values) {
  if (activation == HiddenActivation::kRelu) {
    for (float& value : values) {
      value = value > 0.0F ? value : 0.0F;
    }
    return;
  }
  for (float& value : values) {
    value = 1.0F / (1.0F + std::exp(-value));
  }
}

// Multiplies by the activation's derivative, which both activations' outputs determine.
void multiply_by_slope(HiddenActivation activation, std::span<const float> outputs,
                       std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float y = outputs[i];
    if (activation == HiddenActivation::kRelu) {
      values[i] = y > 0.0F ? values[i] : 0.0F;
    } else {
      values[i] *= y * (1.0F - y);
    }
  }
}

PackedDense pack_transposed(const DenseLayer& layer) {
  std::vector<float> weight(layer.weight.size());
  for (int o = 0; o < layer.outputs; ++o) {
    for (int i = 0; i < layer.inputs; ++i) {
      weight[static_cast<std::size_t>(i) * static_cast<std::size_t>(layer.outputs) +
             static_cast<std::size_t>(o)] =
          layer.weight[static_cast<std::size_t>(o) * static_cast<std::size_t>(layer.inputs) +
                       static_cast<std::size_t>(i)];
    }
  }
  const std::vector<float> no_bias(static_cast<std::size_t>(layer.inputs), 0.0F);
  return {layer.outputs, layer.inputs, weight, no_bias};
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

const FloatTensor& required(const TensorMap& tensors, const std::string& name,
                            const std::string& where) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    throw Error(where + ": missing tensor \"" + name + "\"");
  }
  if (!std::ranges::all_of(found->second.values, [](float v) { return std::isfinite(v); })) {
    throw Error(where + ": tensor \"" + name + "\" has a value that is not finite");
  }
  return found->second;
}

DenseLayer layer_from_tensors(const TensorMap& tensors, const std::string& prefix, int inputs,
                              const std::string& where) {
  constexpr std::int64_t kMaxSize = 1 << 20;  // keeps every product of sizes far from overflow
  const FloatTensor& weight = required(tensors, prefix + ".weight", where);
  const FloatTensor& bias = required(tensors, prefix + ".bias", where);
  const bool plausible = weight.shape.size() == 2 && std::ranges::all_of(weight.shape, [](auto n) {
                           return n > 0 && n <= kMaxSize;
                         });
  if (!plausible || (inputs != 0 && weight.shape[1] != inputs) ||
      weight.values.size() != static_cast<std::size_t>(weight.shape[0] * weight.shape[1])) {
    throw Error(where + ": tensor \"" + prefix + ".weight\" must be [outputs, " +
                (inputs == 0 ? "inputs" : std::to_string(inputs)) + "], got " +
                shape_text(weight.shape));
  }
  if (bias.shape != std::vector<std::int64_t>{weight.shape[0]} ||
      bias.values.size() != static_cast<std::size_t>(weight.shape[0])) {
    throw Error(where + ": tensor \"" + prefix + ".bias\" must be [" +
                std::to_string(weight.shape[0]) + "], got " + shape_text(bias.shape));
  }
  return {.inputs = static_cast<int>(weight.shape[1]),
          .outputs = static_cast<int>(weight.shape[0]),
          .weight = weight.values,
          .bias = bias.values};
}

}  // namespace

std::string to_string(HiddenActivation activation) {
  return activation == HiddenActivation::kRelu ? "relu" : "sigmoid";
}

HiddenActivation hidden_activation_from_string(const std::string& name, const std::string& where) {
  if (name == "relu") {
    return HiddenActivation::kRelu;
  }
  if (name == "sigmoid") {
    return HiddenActivation::kSigmoid;
  }
  throw Error(where + ": activation must be relu or sigmoid, got \"" + name.substr(0, 60) + "\"");
}

Perceptron::Perceptron(std::vector<DenseLayer> layers, HiddenActivation activation)
    : layers_(std::move(layers)), activation_(activation) {
  if (layers_.empty()) {
    throw std::invalid_argument("[regress::Perceptron] layers must not be empty");
  }
  int width = layers_.front().inputs;
  for (const DenseLayer& layer : layers_) {
    if (layer.inputs != width) {
      throw std::invalid_argument("[regress::Perceptron] layer " + std::to_string(packed_.size()) +
                                  " must have " + std::to_string(width) + " inputs, got " +
                                  std::to_string(layer.inputs));
    }
    packed_.emplace_back(layer.inputs, layer.outputs, layer.weight, layer.bias);
    packed_transposed_.push_back(pack_transposed(layer));
    width = layer.outputs;
  }
  if (width != 1) {
    throw std::invalid_argument("[regress::Perceptron] the last layer must have 1 output, got " +
                                std::to_string(width));
  }
}

std::int64_t Perceptron::rows_of(std::span<const float> inputs, const char* function) const {
  const auto width = static_cast<std::size_t>(this->inputs());
  if (inputs.size() % width != 0) {
    throw std::invalid_argument("[regress::Perceptron::" + std::string(function) +
                                "] inputs must be rows of " + std::to_string(width) + ", got " +
                                std::to_string(inputs.size()) + " values");
  }
  return static_cast<std::int64_t>(inputs.size() / width);
}

std::vector<float> Perceptron::predict(std::span<const float> inputs) const {
  const std::int64_t num_rows = rows_of(inputs, "predict");
  const auto width = static_cast<std::size_t>(this->inputs());
  std::vector<float> result(static_cast<std::size_t>(num_rows));
  std::vector<float> x;
  std::vector<float> y;
  for (std::int64_t begin = 0; begin < num_rows; begin += kChunkRows) {
    const std::int64_t rows = std::min(kChunkRows, num_rows - begin);
    const auto count = static_cast<std::size_t>(rows);
    std::span<const float> current =
        inputs.subspan(static_cast<std::size_t>(begin) * width, count * width);
    for (std::size_t i = 0; i + 1 < packed_.size(); ++i) {
      y.resize(count * static_cast<std::size_t>(packed_[i].outputs()));
      dense_forward(packed_[i], current, rows, y);
      activate(activation_, y);
      std::swap(x, y);
      current = x;
    }
    dense_forward(packed_.back(), current, rows,
                  std::span(result).subspan(static_cast<std::size_t>(begin), count));
  }
  return result;
}

std::vector<float> Perceptron::gradients(std::span<const float> inputs) const {
  const std::int64_t num_rows = rows_of(inputs, "gradients");
  const auto width = static_cast<std::size_t>(this->inputs());
  std::vector<float> result(inputs.size());
  std::vector<std::vector<float>> hidden(layers_.size() - 1);
  std::vector<float> slope;
  std::vector<float> before;
  for (std::int64_t begin = 0; begin < num_rows; begin += kChunkRows) {
    const std::int64_t rows = std::min(kChunkRows, num_rows - begin);
    const auto count = static_cast<std::size_t>(rows);
    const auto chunk = static_cast<std::size_t>(begin) * width;
    std::span<const float> current = inputs.subspan(chunk, count * width);
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      hidden[i].resize(count * static_cast<std::size_t>(packed_[i].outputs()));
      dense_forward(packed_[i], current, rows, hidden[i]);
      activate(activation_, hidden[i]);
      current = hidden[i];
    }
    slope.assign(count, 1.0F);
    for (std::size_t i = layers_.size(); i-- > 0;) {
      before.resize(count * static_cast<std::size_t>(layers_[i].inputs));
      dense_forward(packed_transposed_[i], slope, rows, before);
      if (i > 0) {
        multiply_by_slope(activation_, hidden[i - 1], before);
      }
      std::swap(slope, before);
    }
    std::ranges::copy(slope, result.begin() + static_cast<std::ptrdiff_t>(chunk));
  }
  return result;
}

TensorMap Perceptron::to_tensors() const {
  TensorMap tensors;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const DenseLayer& layer = layers_[i];
    const std::string prefix = std::to_string(2 * i);
    tensors[prefix + ".weight"] = {.shape = {layer.outputs, layer.inputs}, .values = layer.weight};
    tensors[prefix + ".bias"] = {.shape = {layer.outputs}, .values = layer.bias};
  }
  return tensors;
}

Perceptron Perceptron::from_tensors(const TensorMap& tensors, HiddenActivation activation,
                                    const std::string& where) {
  std::vector<DenseLayer> layers;
  int width = 0;
  for (std::size_t i = 0; i == 0 || tensors.contains(std::to_string(2 * i) + ".weight"); ++i) {
    layers.push_back(layer_from_tensors(tensors, std::to_string(2 * i), width, where));
    width = layers.back().outputs;
  }
  if (width != 1) {
    throw Error(where + ": the last layer must have 1 output, got " + std::to_string(width));
  }
  for (const auto& [name, tensor] : tensors) {
    bool known = false;
    for (std::size_t i = 0; i < layers.size() && !known; ++i) {
      const std::string prefix = std::to_string(2 * i);
      known = name == prefix + ".weight" || name == prefix + ".bias";
    }
    if (!known) {
      throw Error(where + ": unexpected tensor \"" + name + "\"");
    }
  }
  return {std::move(layers), activation};
}

}  // namespace lathe::regress
