// The simulated phone as a program that stays (protocol 2): what lathe specialize asks instead of a
// device. Takes the time that it states. Usage: lathe_simulated_phone [SEED]
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/measure/runners/runner_service.h"
#include "measure/simulated_phone.h"

namespace lathe::testing {
namespace {

using Shapes = std::map<std::string, graph::Shape>;

graph::Shape shape_of(const onnx::ValueInfoProto& value) {
  const onnx::TensorShapeProto& shape = value.type().tensor_type().shape();
  const auto at = [&](int i) {
    return i < shape.dim_size() ? static_cast<int>(shape.dim(i).dim_value()) : 1;
  };
  return {at(1), at(2), at(3)};
}

int attribute(const onnx::NodeProto& node, const std::string& name, int otherwise) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) return static_cast<int>(attribute.i());
  }
  return otherwise;
}

/// The same layers as phone_layers() of the graph that was exported.
std::vector<PhoneLayer> phone_layers(onnx::ModelProto& model) {
  onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance());
  Shapes shapes;
  for (const auto* list :
       {&model.graph().input(), &model.graph().output(), &model.graph().value_info()}) {
    for (const onnx::ValueInfoProto& value : *list) shapes[value.name()] = shape_of(value);
  }
  std::map<std::string, int> kernels;
  for (const onnx::TensorProto& weights : model.graph().initializer()) {
    kernels[weights.name()] = weights.dims_size() == 4 ? static_cast<int>(weights.dims(3)) : 1;
  }
  std::vector<PhoneLayer> layers;
  for (const onnx::NodeProto& node : model.graph().node()) {
    if (node.op_type() == "Conv" || node.op_type() == "Gemm") {
      layers.push_back(phone_layer(shapes.at(node.input(0)), shapes.at(node.output(0)),
                                   kernels.at(node.input(1)), attribute(node, "group", 1)));
    } else if (node.op_type() == "GlobalAveragePool") {
      layers.push_back(phone_pool(shapes.at(node.input(0))));
    }
  }
  return layers;
}

double load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  onnx::ModelProto model;
  if (!model.ParseFromIstream(&file)) throw std::runtime_error("no model: " + path);
  return phone_ms(phone_layers(model));
}

void spend(double ms) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double, std::milli>(ms);
  while (Clock::now() < end) {
  }
}

class Phone final : public measure::RunnerService {
 public:
  explicit Phone(std::uint64_t seed) : phone_({}, seed) {}

  nlohmann::json hello(const Terms&) override {
    return {{"device", "simulated phone"}, {"runtime", "simulated 2"}};
  }
  void load(const std::filesystem::path& model, const std::vector<std::int64_t>&) override {
    models_[model] = testing::load(model);
  }
  nlohmann::json time(const std::filesystem::path& model, int, int runs, double max_ms) override {
    const double ms = models_.at(model);
    std::vector<double> times_ms;
    double sum_ms = 0;
    for (const double run_ms : phone_.session(ms, runs)) {
      if (times_ms.size() >= 2 && max_ms > 0 && sum_ms >= max_ms) break;
      times_ms.push_back(run_ms);
      sum_ms += run_ms;
    }
    spend(sum_ms);
    return {
        {"latencies_ms", times_ms}, {"energy_mj", 2.5 * ms}, {"conditions", {{"celsius", 36.5}}}};
  }
  void unload(const std::filesystem::path& model) override { models_.erase(model); }

 private:
  SimulatedPhone phone_;
  std::map<std::filesystem::path, double> models_;
};

}  // namespace
}  // namespace lathe::testing

int main(int argc, char** argv) {
  lathe::testing::Phone phone(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1);
  lathe::measure::serve(phone, std::cin, std::cout);
  return 0;
}
