#include "lathe/deploy/torchscript.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/random.h"

namespace lathe::deploy {
namespace {

using graph::Activation;
using graph::Node;
using graph::Op;

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::int64_t volume(const std::vector<std::int64_t>& shape) {
  std::int64_t size = 1;
  for (std::int64_t extent : shape) {
    size *= extent;
  }
  return size;
}

std::vector<std::string> split(const std::string& name) {
  std::vector<std::string> parts;
  std::istringstream stream(name);
  for (std::string part; std::getline(stream, part, '.');) {
    parts.push_back(part);
  }
  return parts;
}

/// A parameter as an expression. getattr, since a part such as "0" is no identifier.
std::string member(const std::string& parameter) {
  std::string expression = "self";
  for (const std::string& part : split(parameter)) {
    expression = "getattr(" + expression + ", \"" + part + "\")";
  }
  return expression;
}

/// A float literal that reads back to the same double, whatever the locale.
std::string literal(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".e") == std::string::npos) {
    text += ".0";
  }
  return text;
}

std::string pair(int value) {
  const std::string text = std::to_string(value);
  return std::string("[").append(text).append(", ").append(text).append("]");
}

/// The variable of a node's output; `flat` if that is [N, C] instead of [N, C, H, W].
struct Variable {
  std::string name;
  bool flat = false;
};

/// Writes the body of forward.
class ForwardSource {
 public:
  explicit ForwardSource(const graph::Graph& graph) : graph_(graph) {}

  std::string text() {
    source_ << "def forward(self, input):\n";
    values_.push_back({"input"});
    for (int i = 1; i < graph_.size(); ++i) {
      index_ = i;
      values_.push_back(statement(graph_[i]));
    }
    const graph::Shape shape = graph_.output_shape();
    const int last = graph_.size() - 1;
    const bool vector = shape.height == 1 && shape.width == 1;
    source_ << "  return " << (vector ? flat(last) : map(last)) << "\n";
    return source_.str();
  }

 private:
  const Variable& value(int index) const { return values_[static_cast<std::size_t>(index)]; }

  std::string flat(int index) const {
    const Variable& v = value(index);
    return v.flat ? v.name : "torch.flatten(" + v.name + ", 1)";
  }

  std::string map(int index) const {
    const Variable& v = value(index);
    return v.flat ? "torch.unsqueeze(torch.unsqueeze(" + v.name + ", 2), 3)" : v.name;
  }

  Variable assign(const std::string& expression, bool is_flat = false) {
    const std::string name = std::string("v").append(std::to_string(index_));
    source_ << "  " << name << " = " << expression << "\n";
    return {name, is_flat};
  }

  Variable statement(const Node& node) {
    switch (node.op) {
      case Op::kConv:
        return assign("torch.conv2d(" + map(node.inputs[0]) + ", " + weight_and_bias(node) + ", " +
                      pair(node.stride) + ", " + pair(node.padding) + ", " + pair(node.dilation) +
                      ", " + std::to_string(node.groups) + ")");
      case Op::kBatchNorm:
        return assign(
            "torch.batch_norm(" + map(node.inputs[0]) + ", " + member(node.name + ".weight") +
            ", " + member(node.name + ".bias") + ", " + member(node.name + ".running_mean") + ", " +
            member(node.name + ".running_var") + ", False, 0.0, " + literal(node.eps) + ", True)");
      case Op::kShift:
        return assign("torch.add(" + map(node.inputs[0]) + ", " + member(node.name + ".bias") +
                      ")");
      case Op::kActivation:
        return activation(node);
      case Op::kMaxPool:
        return assign("torch.max_pool2d(" + pool_arguments(node, "[1, 1], ") + ")");
      case Op::kAvgPool:
        return assign("torch.avg_pool2d(" + pool_arguments(node, "") + ", False)");
      case Op::kGlobalAvgPool:
        return assign("torch.mean(" + map(node.inputs[0]) + ", [2, 3], True)");
      case Op::kDropout:
      case Op::kDropPath:
        return value(node.inputs[0]);
      case Op::kLinear:
        return assign("torch.linear(" + flat(node.inputs[0]) + ", " + weight_and_bias(node) + ")",
                      true);
      case Op::kAdd:
        return elementwise("torch.add(", ")", node);
      case Op::kMul:
        return elementwise("torch.mul(", ")", node);
      case Op::kConcat:
        return elementwise("torch.cat([", "], 1)", node);
      case Op::kCrop: {
        const std::string from = std::to_string(node.offset) + ":";
        return assign(map(node.inputs[0]) + "[:, :, " + from + ", " + from + "]");
      }
      case Op::kSlice:
      case Op::kShuffle:
      case Op::kMixedSum:
        throw std::invalid_argument("[deploy::export_torchscript] node " + std::to_string(index_) +
                                    " is of a net that is searched; export one that was found");
      case Op::kInput:
        break;
    }
    throw std::invalid_argument("[deploy::export_torchscript] node " + std::to_string(index_) +
                                " is a second input; a net has one");
  }

  static std::string weight_and_bias(const Node& node) {
    return member(node.name + ".weight") + ", " +
           (node.bias ? member(node.name + ".bias") : std::string("None"));
  }

  Variable activation(const Node& node) {
    const Variable in = value(node.inputs[0]);
    switch (node.activation) {
      case Activation::kNone:
        return in;
      case Activation::kRelu:
        return assign("torch.relu(" + in.name + ")", in.flat);
      case Activation::kRelu6:
        return assign("torch.clamp(" + in.name + ", 0.0, 6.0)", in.flat);
      case Activation::kHSwish:
        return assign("torch.hardswish(" + in.name + ")", in.flat);
      case Activation::kHSigmoid:
        return assign("torch.hardsigmoid(" + in.name + ")", in.flat);
    }
    return in;
  }

  std::string pool_arguments(const Node& node, const std::string& dilation) const {
    return map(node.inputs[0]) + ", " + pair(node.kernel) + ", " + pair(node.stride) + ", " +
           pair(node.padding) + ", " + dilation + (node.ceil_mode ? "True" : "False");
  }

  Variable elementwise(const char* before, const char* after, const Node& node) {
    const bool all_flat = std::all_of(node.inputs.begin(), node.inputs.end(),
                                      [&](int index) { return value(index).flat; });
    std::string arguments;
    for (int input : node.inputs) {
      arguments += (arguments.empty() ? "" : ", ") + (all_flat ? value(input).name : map(input));
    }
    return assign(before + arguments + after, all_flat);
  }

  const graph::Graph& graph_;
  std::ostringstream source_;
  std::vector<Variable> values_;
  int index_ = 0;
};

/// The parameters' names as a tree: "a.b.weight" is the tensor weight of the module b of a.
struct Tree {
  std::map<std::string, Tree> modules;
  std::map<std::string, graph::ParameterSpec> tensors;
};

Tree tree_of(const std::vector<graph::ParameterSpec>& specs) {
  Tree root;
  for (const graph::ParameterSpec& spec : specs) {
    std::vector<std::string> parts = split(spec.name);
    const std::string last = parts.back();
    parts.pop_back();
    Tree* at = &root;
    for (const std::string& part : parts) {
      at = &at->modules[part];
    }
    at->tensors[last] = spec;
  }
  return root;
}

at::Tensor to_tensor(const FloatTensor& tensor) {
  at::Tensor result = at::empty(tensor.shape, at::kFloat);
  std::copy(tensor.values.begin(), tensor.values.end(), result.data_ptr<float>());
  return result;
}

/// Every module has its own type, since members are part of it; all in one compilation unit.
torch::jit::Module make_module(const Tree& tree, const TensorMap& weights,
                               const std::shared_ptr<torch::jit::CompilationUnit>& unit,
                               const std::string& type_name) {
  torch::jit::Module module(c10::QualifiedName(type_name), unit, /*shouldMangle=*/true);
  module.register_attribute("training", c10::BoolType::get(), false);
  for (const auto& [name, spec] : tree.tensors) {
    using Role = graph::ParameterSpec::Role;
    const bool buffer = spec.role == Role::kRunningMean || spec.role == Role::kRunningVar;
    if (tree.modules.contains(name)) {
      throw std::invalid_argument("[deploy::export_torchscript] parameter " + spec.name +
                                  " is another parameter's prefix");
    }
    const at::Tensor tensor = to_tensor(weights.at(spec.name));
    module.register_parameter(name, tensor.set_requires_grad(false), buffer);
  }
  for (const auto& [name, child] : tree.modules) {
    module.register_module(name, make_module(child, weights, unit, "__torch__.lathe.Part"));
  }
  return module;
}

FloatTensor to_float_tensor(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* data = dense.data_ptr<float>();
  return {dense.sizes().vec(), {data, data + dense.numel()}};
}

}  // namespace

void export_torchscript(const graph::Net& net, const std::filesystem::path& path,
                        const Metadata& extra_files) {
  graph::check_weights(net);
  const Tree tree = tree_of(graph::parameters_of(net.graph));
  std::ostringstream stream;
  try {
    torch::jit::Module module = make_module(
        tree, net.weights, std::make_shared<torch::jit::CompilationUnit>(), "__torch__.lathe.Net");
    module.define(ForwardSource(net.graph).text());
    module.save(stream, {extra_files.begin(), extra_files.end()});
  } catch (const std::invalid_argument&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(path.string() +
                ": the net can't be made a TorchScript module: " + first_line(error.what()));
  }
  write_file_atomic(path, std::move(stream).str());
}

namespace {

FloatTensor run_module(const std::filesystem::path& path, const FloatTensor& input,
                       at::ScalarType precision) {
  const std::int64_t size = volume(input.shape);
  if (static_cast<std::int64_t>(input.values.size()) != size) {
    throw std::invalid_argument("[deploy::run_torchscript] input must have " +
                                std::to_string(size) + " values, got " +
                                std::to_string(input.values.size()));
  }
  std::istringstream stream(read_file(path));
  torch::jit::Module module;
  try {
    module = torch::jit::load(stream);
  } catch (const std::exception& error) {
    throw Error(path.string() + ": must be a TorchScript module, got: " + first_line(error.what()));
  }
  try {
    const c10::InferenceMode guard;
    module.eval();
    module.to(precision);
    const at::Tensor output = module.forward({to_tensor(input).to(precision)}).toTensor();
    return to_float_tensor(output.to(at::kFloat));
  } catch (const std::exception& error) {
    throw Error(path.string() + ": the module fails to run: " + first_line(error.what()));
  }
}

/// The part of the module's error that single precision explains.
double rounding_error(const std::filesystem::path& path, const FloatTensor& input,
                      const FloatTensor& output) {
  return max_relative_error(output, run_module(path, input, at::kDouble));
}

}  // namespace

FloatTensor run_torchscript(const std::filesystem::path& path, const FloatTensor& input) {
  return run_module(path, input, at::kFloat);
}

double max_relative_error(const FloatTensor& output, const FloatTensor& reference) {
  if (output.values.size() != reference.values.size() || reference.values.empty()) {
    throw std::invalid_argument(
        "[deploy::max_relative_error] output and reference must have the same number of values, "
        "at least one, got " +
        std::to_string(output.values.size()) + " and " + std::to_string(reference.values.size()));
  }
  double difference = 0.0;
  double scale = 0.0;
  for (std::size_t i = 0; i < reference.values.size(); ++i) {
    const double expected = reference.values[i];
    const double got = output.values[i];
    if (std::isnan(expected) || std::isnan(got)) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    if (got != expected) {  // infinities that agree don't differ
      difference = std::max(difference, std::abs(got - expected));
    }
    scale = std::max(scale, std::abs(expected));
  }
  return difference == 0.0 ? 0.0 : difference / scale;
}

double verify_torchscript(const graph::Graph& graph, const std::filesystem::path& path,
                          const std::function<FloatTensor(const FloatTensor& input)>& reference,
                          const VerifyOptions& options) {
  const auto require = [](bool ok, const std::string& text) {
    if (!ok) {
      throw std::invalid_argument("[deploy::verify_torchscript] " + text);
    }
  };
  require(options.batch > 0, "batch must be > 0, got " + std::to_string(options.batch));
  require(options.tolerance > 0.0,
          "tolerance must be > 0, got " + std::to_string(options.tolerance));
  const graph::Shape shape = graph.input_shape();
  FloatTensor input{{options.batch, shape.channels, shape.height, shape.width}, {}};
  Rng rng(options.seed);
  for (std::int64_t i = 0; i < volume(input.shape); ++i) {
    input.values.push_back(static_cast<float>(rng.normal()));
  }
  const FloatTensor output = run_torchscript(path, input);
  const FloatTensor expected = reference(input);
  if (output.values.size() != expected.values.size()) {
    throw Error(path.string() + ": the module gives " + std::to_string(output.values.size()) +
                " values, the reference " + std::to_string(expected.values.size()));
  }
  const double error = max_relative_error(output, expected);
  constexpr double kTimesRounding = 10;
  if (!(error <= options.tolerance) &&
      !(error <= kTimesRounding * rounding_error(path, input, output))) {
    std::ostringstream text;
    text << path.string() << ": the module's output differs from the reference by " << error
         << " relative, more than " << options.tolerance;
    throw Error(text.str());
  }
  return error;
}

}  // namespace lathe::deploy
