#include "deploy/onnx_interpreter.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace lathe::testing {
namespace {

using Dims = std::vector<std::int64_t>;

struct Array {
  Dims shape;
  std::vector<double> values;
  int type = onnx::TensorProto::FLOAT;
};

std::int64_t volume(const Dims& shape) {
  std::int64_t size = 1;
  for (std::int64_t extent : shape) {
    size *= extent;
  }
  return size;
}

Array zeros(Dims shape) {
  const auto size = static_cast<std::size_t>(volume(shape));
  return {std::move(shape), std::vector<double>(size, 0.0)};
}

template <typename T>
std::vector<double> decode(const std::string& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return {values.begin(), values.end()};
}

Array decode(const onnx::TensorProto& tensor) {
  const Dims shape(tensor.dims().begin(), tensor.dims().end());
  const int type = tensor.data_type();
  const std::string& bytes = tensor.raw_data();
  switch (type) {
    case onnx::TensorProto::FLOAT:
      return {shape, decode<float>(bytes), type};
    case onnx::TensorProto::INT64:
      return {shape, decode<std::int64_t>(bytes), type};
    case onnx::TensorProto::INT32:
      return {shape, decode<std::int32_t>(bytes), type};
    case onnx::TensorProto::INT8:
      return {shape, decode<std::int8_t>(bytes), type};
    case onnx::TensorProto::UINT8:
      return {shape, decode<std::uint8_t>(bytes), type};
    default:
      throw std::runtime_error(tensor.name() + ": unknown type");
  }
}

/// A node with its inputs at hand. Attributes that are asked for are ticked off, so that one the
/// interpreter doesn't know is noticed.
class Call {
 public:
  Call(const onnx::NodeProto& node, const std::map<std::string, Array>& values) : node_(node) {
    for (const std::string& name : node.input()) {
      inputs_.push_back(&values.at(name));
    }
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      attributes_[attribute.name()] = &attribute;
    }
  }
  const Array& input(std::size_t i) const { return *inputs_.at(i); }
  std::size_t size() const { return inputs_.size(); }
  Dims ints(const std::string& name, const Dims& otherwise) {
    const auto* found = take(name);
    return found == nullptr ? otherwise : Dims(found->ints().begin(), found->ints().end());
  }
  std::int64_t integer(const std::string& name, std::int64_t otherwise) {
    const auto* found = take(name);
    return found == nullptr ? otherwise : found->i();
  }
  double real(const std::string& name, double otherwise) {
    const auto* found = take(name);
    return found == nullptr ? otherwise : found->f();
  }
  void finish() const {
    if (!attributes_.empty()) {
      throw std::runtime_error(node_.op_type() + ": unknown attribute " +
                               attributes_.begin()->first);
    }
  }

 private:
  const onnx::AttributeProto* take(const std::string& name) {
    const auto found = attributes_.find(name);
    if (found == attributes_.end()) {
      return nullptr;
    }
    const auto* attribute = found->second;
    attributes_.erase(found);
    return attribute;
  }
  const onnx::NodeProto& node_;
  std::vector<const Array*> inputs_;
  std::map<std::string, const onnx::AttributeProto*> attributes_;
};

/// Where a window of a convolution or a pool lies along one axis.
struct Axis {
  std::int64_t size, kernel, stride, begin, end, dilation;
  std::int64_t count() const {
    return (size + begin + end - dilation * (kernel - 1) - 1) / stride + 1;
  }
  std::int64_t source(std::int64_t out, std::int64_t k) const {
    return out * stride - begin + k * dilation;
  }
};

std::vector<Axis> window_axes(Call& call) {
  const Dims kernel = call.ints("kernel_shape", {1, 1});
  const Dims strides = call.ints("strides", {1, 1});
  const Dims pads = call.ints("pads", {0, 0, 0, 0});
  const Dims dilations = call.ints("dilations", {1, 1});
  std::vector<Axis> axes;
  for (std::size_t a = 0; a < 2; ++a) {
    axes.push_back({call.input(0).shape.at(a + 2), kernel.at(a), strides.at(a), pads.at(a),
                    pads.at(a + 2), dilations.at(a)});
  }
  return axes;
}

/// Adds weight * plane, shifted to the kernel's position (ky, kx), to `out`.
void add_shifted(const Axis& y, const Axis& x, std::int64_t ky, std::int64_t kx, double weight,
                 const double* plane, double* out) {
  const std::int64_t width = x.count();
  for (std::int64_t oy = 0; oy < y.count(); ++oy) {
    const std::int64_t sy = y.source(oy, ky);
    if (sy < 0 || sy >= y.size) {
      continue;
    }
    for (std::int64_t ox = 0; ox < width; ++ox) {
      const std::int64_t sx = x.source(ox, kx);
      if (sx >= 0 && sx < x.size) {
        out[oy * width + ox] += weight * plane[sy * x.size + sx];
      }
    }
  }
}

Array conv(Call& call) {
  const std::vector<Axis> axes = window_axes(call);
  const Axis &y = axes[0], &x = axes[1];
  const std::int64_t groups = call.integer("group", 1);
  const Array& in = call.input(0);
  const Array& weight = call.input(1);
  const std::int64_t batch = in.shape[0], channels = weight.shape[0], depth = weight.shape[1];
  if (depth * groups != in.shape[1]) {
    throw std::runtime_error("Conv: weight doesn't fit the input");
  }
  Array out = zeros({batch, channels, y.count(), x.count()});
  const std::int64_t in_plane = y.size * x.size, out_plane = y.count() * x.count();
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) {
      double* plane = out.values.data() + (n * channels + c) * out_plane;
      if (call.size() > 2) {
        std::fill_n(plane, out_plane, call.input(2).values.at(static_cast<std::size_t>(c)));
      }
      const std::int64_t first = c / (channels / groups) * depth;
      const double* w = weight.values.data() + c * depth * y.kernel * x.kernel;
      for (std::int64_t i = 0; i < depth; ++i) {
        const double* source = in.values.data() + (n * in.shape[1] + first + i) * in_plane;
        for (std::int64_t k = 0; k < y.kernel * x.kernel; ++k) {
          add_shifted(y, x, k / x.kernel, k % x.kernel, *w++, source, plane);
        }
      }
    }
  }
  return out;
}

Array pool(Call& call, bool max) {
  const std::vector<Axis> axes = window_axes(call);
  const Axis &y = axes[0], &x = axes[1];
  if (call.integer("count_include_pad", 0) != 0 || call.integer("ceil_mode", 0) != 0) {
    throw std::runtime_error("pool: only exact windows without padding in the mean");
  }
  const Array& in = call.input(0);
  Array out = zeros({in.shape[0], in.shape[1], y.count(), x.count()});
  std::size_t index = 0;
  for (std::int64_t plane = 0; plane < in.shape[0] * in.shape[1]; ++plane) {
    for (std::int64_t o = 0; o < y.count() * x.count(); ++o) {
      double sum = 0.0, largest = -std::numeric_limits<double>::infinity();
      int count = 0;
      for (std::int64_t k = 0; k < y.kernel * x.kernel; ++k) {
        const std::int64_t sy = y.source(o / x.count(), k / x.kernel);
        const std::int64_t sx = x.source(o % x.count(), k % x.kernel);
        if (sy >= 0 && sy < y.size && sx >= 0 && sx < x.size) {
          const double value =
              in.values[static_cast<std::size_t>((plane * y.size + sy) * x.size + sx)];
          sum += value;
          largest = std::max(largest, value);
          ++count;
        }
      }
      out.values[index++] = max ? largest : sum / count;
    }
  }
  return out;
}

Array global_average(Call& call) {
  const Array& in = call.input(0);
  Array out = zeros({in.shape[0], in.shape[1], 1, 1});
  const std::size_t plane = in.values.size() / out.values.size();
  for (std::size_t i = 0; i < in.values.size(); ++i) {
    out.values[i / plane] += in.values[i] / static_cast<double>(plane);
  }
  return out;
}

Array batch_norm(Call& call) {
  const double epsilon = call.real("epsilon", 1e-5);
  Array out = call.input(0);
  const auto channels = static_cast<std::size_t>(out.shape[1]);
  const std::size_t plane = out.values.size() / static_cast<std::size_t>(out.shape[0]) / channels;
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    const std::size_t c = i / plane % channels;
    const auto parameter = [&](std::size_t which) { return call.input(which).values.at(c); };
    out.values[i] =
        (out.values[i] - parameter(3)) / std::sqrt(parameter(4) + epsilon) * parameter(1) +
        parameter(2);
  }
  return out;
}

Array gemm(Call& call) {
  if (call.integer("transB", 0) != 1 || call.integer("transA", 0) != 0) {
    throw std::runtime_error("Gemm: only x * transposed weight");
  }
  const Array& in = call.input(0);
  const Array& weight = call.input(1);
  const std::int64_t depth = in.shape.at(1), outputs = weight.shape.at(0);
  if (in.shape.size() != 2 || weight.shape != Dims{outputs, depth}) {
    throw std::runtime_error("Gemm: shapes don't fit");
  }
  Array out = zeros({in.shape[0], outputs});
  for (std::int64_t i = 0; i < in.shape[0] * outputs; ++i) {
    const std::int64_t o = i % outputs;
    double sum = call.size() > 2 ? call.input(2).values.at(static_cast<std::size_t>(o)) : 0.0;
    for (std::int64_t k = 0; k < depth; ++k) {
      sum += in.values[static_cast<std::size_t>(i / outputs * depth + k)] *
             weight.values[static_cast<std::size_t>(o * depth + k)];
    }
    out.values[static_cast<std::size_t>(i)] = sum;
  }
  return out;
}

Array map(const Array& in, const std::function<double(double)>& function) {
  Array out = in;
  std::transform(in.values.begin(), in.values.end(), out.values.begin(), function);
  return out;
}

/// Multidirectional broadcasting.
Array broadcast(const Array& a, const Array& b, const std::function<double(double, double)>& f) {
  const std::size_t rank = std::max(a.shape.size(), b.shape.size());
  const auto extent = [&](const Array& array, std::size_t axis) -> std::int64_t {
    const std::size_t missing = rank - array.shape.size();
    return axis < missing ? 1 : array.shape[axis - missing];
  };
  Dims shape;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t ea = extent(a, axis), eb = extent(b, axis);
    if (ea != eb && ea != 1 && eb != 1) {
      throw std::runtime_error("shapes don't broadcast");
    }
    shape.push_back(std::max(ea, eb));
  }
  Array out = zeros(shape);
  const auto index_in = [&](const Array& array, std::int64_t flat) {
    std::int64_t index = 0, step = 1;
    for (std::size_t axis = rank; axis-- > 0;) {
      const std::int64_t position = flat % shape[axis], size = extent(array, axis);
      flat /= shape[axis];
      index += (size == 1 ? 0 : position) * step;
      step *= size;
    }
    return static_cast<std::size_t>(index);
  };
  for (std::int64_t i = 0; i < volume(shape); ++i) {
    out.values[static_cast<std::size_t>(i)] = f(a.values[index_in(a, i)], b.values[index_in(b, i)]);
  }
  return out;
}

Array concat(Call& call) {
  if (call.integer("axis", -1) != 1) {
    throw std::runtime_error("Concat: only along axis 1");
  }
  Array out;
  out.shape = call.input(0).shape;
  out.shape[1] = 0;
  for (std::size_t i = 0; i < call.size(); ++i) {
    out.shape[1] += call.input(i).shape.at(1);
  }
  for (std::int64_t n = 0; n < out.shape[0]; ++n) {
    for (std::size_t i = 0; i < call.size(); ++i) {
      const auto image = static_cast<std::ptrdiff_t>(call.input(i).values.size()) / out.shape[0];
      const auto begin = call.input(i).values.begin() + n * image;
      out.values.insert(out.values.end(), begin, begin + image);
    }
  }
  return out;
}

/// Of two axes of a map, towards the end.
Array slice(Call& call) {
  const Array& in = call.input(0);
  const std::vector<double>& starts = call.input(1).values;
  const std::vector<double>& ends = call.input(2).values;
  if (call.size() != 4 || call.input(3).values != std::vector<double>{2, 3} ||
      in.shape.size() != 4) {
    throw std::runtime_error("Slice: only of axes 2 and 3, without steps");
  }
  const auto at = [](const std::vector<double>& values, std::size_t i) {
    return static_cast<std::int64_t>(values.at(i));
  };
  const std::int64_t height = at(ends, 0) - at(starts, 0), width = at(ends, 1) - at(starts, 1);
  Array out = zeros({in.shape[0], in.shape[1], height, width});
  for (std::int64_t i = 0; i < volume(out.shape); ++i) {
    const std::int64_t x = i % width, y = i / width % height, map = i / width / height;
    const std::int64_t source =
        (map * in.shape[2] + y + at(starts, 0)) * in.shape[3] + x + at(starts, 1);
    out.values[static_cast<std::size_t>(i)] = in.values.at(static_cast<std::size_t>(source));
  }
  return out;
}

Array reshape(Call& call) {
  Array out = call.input(0);
  Dims target;
  for (double extent : call.input(1).values) {
    target.push_back(extent == 0.0 ? out.shape.at(target.size())
                                   : static_cast<std::int64_t>(extent));
  }
  if (volume(target) != volume(out.shape)) {
    throw std::runtime_error("Reshape: another number of values");
  }
  out.shape = target;
  return out;
}

Array flatten(Call& call) {
  if (call.integer("axis", 1) != 1) {
    throw std::runtime_error("Flatten: only from axis 1");
  }
  Array out = call.input(0);
  out.shape = {out.shape[0], volume(out.shape) / out.shape[0]};
  return out;
}

Array hard_sigmoid(Call& call) {
  const double alpha = call.real("alpha", 0.2), beta = call.real("beta", 0.5);
  return map(call.input(0), [=](double x) { return std::clamp(alpha * x + beta, 0.0, 1.0); });
}

Array clip(Call& call) {
  const double low = call.input(1).values.at(0), high = call.input(2).values.at(0);
  return map(call.input(0), [=](double x) { return std::clamp(x, low, high); });
}

/// Of all values alike, to uint8.
Array quantize_linear(Call& call) {
  const double scale = call.input(1).values.at(0), zero = call.input(2).values.at(0);
  if (call.input(1).values.size() != 1 || call.input(2).type != onnx::TensorProto::UINT8) {
    throw std::runtime_error("QuantizeLinear: only to uint8, with one scale");
  }
  Array out = map(call.input(0), [=](double x) {  // ties to even
    return std::clamp(std::nearbyint(x / scale) + zero, 0.0, 255.0);
  });
  out.type = onnx::TensorProto::UINT8;
  return out;
}

/// With one scale, or one for each index of the first axis.
Array dequantize_linear(Call& call) {
  const std::int64_t axis = call.integer("axis", 1);
  const Array& scale = call.input(1);
  Array out = call.input(0);
  if (out.type == onnx::TensorProto::FLOAT || (call.size() > 2 && call.input(2).type != out.type) ||
      !(scale.shape.empty() || (axis == 0 && scale.shape == Dims{out.shape.at(0)}))) {
    throw std::runtime_error("DequantizeLinear: types or shapes don't fit");
  }
  const std::size_t step = out.values.size() / scale.values.size();
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    const double zero = call.size() > 2 ? call.input(2).values.at(i / step) : 0.0;
    out.values[i] = (out.values[i] - zero) * scale.values[i / step];
  }
  out.type = onnx::TensorProto::FLOAT;
  return out;
}

Array run(const std::string& op, Call& call) {
  static const std::map<std::string, std::function<Array(Call&)>> kOperators{
      {"Conv", conv},
      {"BatchNormalization", batch_norm},
      {"Relu", [](Call& c) { return map(c.input(0), [](double x) { return std::max(x, 0.0); }); }},
      {"Clip", clip},
      {"HardSigmoid", hard_sigmoid},
      {"HardSwish",
       [](Call& c) {
         return map(c.input(0), [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); });
       }},
      {"MaxPool", [](Call& c) { return pool(c, true); }},
      {"AveragePool", [](Call& c) { return pool(c, false); }},
      {"GlobalAveragePool", global_average},
      {"Flatten", flatten},
      {"Reshape", reshape},
      {"Gemm", gemm},
      {"Add", [](Call& c) { return broadcast(c.input(0), c.input(1), std::plus<double>()); }},
      {"Mul", [](Call& c) { return broadcast(c.input(0), c.input(1), std::multiplies<double>()); }},
      {"Concat", concat},
      {"Slice", slice},
      {"Identity", [](Call& c) { return c.input(0); }},
      {"QuantizeLinear", quantize_linear},
      {"DequantizeLinear", dequantize_linear},
  };
  static const std::set<std::string> kTakeIntegers{"DequantizeLinear", "Flatten", "Reshape"};
  const auto found = kOperators.find(op);
  if (found == kOperators.end()) {
    throw std::runtime_error("unknown operator " + op);
  }
  if (call.input(0).type != onnx::TensorProto::FLOAT && !kTakeIntegers.contains(op)) {
    throw std::runtime_error(op + ": takes float, not integers");
  }
  Array out = found->second(call);
  call.finish();
  return out;
}

void require_declared(const onnx::ValueInfoProto& value, const Dims& shape) {
  const onnx::TensorShapeProto& dims = value.type().tensor_type().shape();
  bool same = dims.dim_size() == static_cast<int>(shape.size());
  for (int i = 0; same && i < dims.dim_size(); ++i) {
    same = !dims.dim(i).has_dim_value() ||
           dims.dim(i).dim_value() == shape[static_cast<std::size_t>(i)];
  }
  if (!same) {
    throw std::runtime_error(value.name() + " doesn't have the declared shape");
  }
}

}  // namespace

FloatTensor interpret_onnx(const std::filesystem::path& path, const FloatTensor& input) {
  std::ifstream file(path, std::ios::binary);
  onnx::ModelProto model;
  if (!model.ParseFromIstream(&file)) {
    throw std::runtime_error("not an ONNX file");
  }
  const onnx::GraphProto& graph = model.graph();
  std::map<std::string, Array> values;
  for (const onnx::TensorProto& tensor : graph.initializer()) {
    values[tensor.name()] = decode(tensor);
  }
  require_declared(graph.input(0), input.shape);
  values[graph.input(0).name()] = {input.shape, {input.values.begin(), input.values.end()}};
  for (const onnx::NodeProto& node : graph.node()) {
    Call call(node, values);
    Array out = run(node.op_type(), call);
    values[node.output(0)] = std::move(out);
  }
  const Array& output = values.at(graph.output(0).name());
  require_declared(graph.output(0), output.shape);
  return {output.shape, {output.values.begin(), output.values.end()}};
}

}  // namespace lathe::testing
