#include "lathe/run/answers/net_file.h"

#include <c10/core/GradMode.h>

#include <stdexcept>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/deploy/torchscript.h"
#include "lathe/nn/executor.h"
#include "lathe/space/space_file.h"

namespace lathe::run {
namespace {

graph::Net as_handed_over(const DescribedNet& net) {
  return graph::fold_batch_norm(on_pixels(net.net, net.input));
}

deploy::OnnxOptions onnx_options(const DescribedNet& net, int opset) {
  return {.opset = opset,
          .doc = net.space.to_json(net.arch).dump(),
          .metadata = metadata(net.input, Normalizes::kNet)};
}

/// What a file says of its input; nothing if it is of a version that didn't.
std::optional<NetInput> input_of(const SafetensorsFile& file, const space::Space& space,
                                 const std::string& where) {
  if (!file.metadata.contains("normalization")) {
    return std::nullopt;
  }
  NetInput input = net_input_from(file.metadata, where);
  const std::size_t channels = input.normalization.mean.size();
  if (channels != static_cast<std::size_t>(space.task().in_channels)) {
    throw Error(where + ": \"normalization\": expected " +
                std::to_string(space.task().in_channels) + " channels, got " +
                std::to_string(channels));
  }
  return input;
}

/// The file's own word: cells are called alike in nets of all sizes. Else the arch's.
std::string name_of_space(const SafetensorsFile& file, const nlohmann::json& arch,
                          const std::string& where) {
  const auto own = file.metadata.find("space");
  return own != file.metadata.end() && space::is_space_name(own->second)
             ? own->second
             : json_member<std::string>(arch, "space", where);
}

}  // namespace

void save_net(const std::filesystem::path& path, const DescribedNet& net) {
  const nlohmann::ordered_json task{{"in_channels", net.space.task().in_channels},
                                    {"num_classes", net.space.task().num_classes},
                                    {"input_size", net.space.input_size(net.arch)}};
  Metadata header = metadata(net.input, Normalizes::kCaller);
  header["space"] = net.space.name();
  header["arch"] = net.space.to_json(net.arch).dump();
  header["task"] = task.dump();
  save_safetensors(path, {net.net.weights, std::move(header)});
}

void save_onnx(const std::filesystem::path& path, const DescribedNet& net, int opset) {
  deploy::export_onnx(as_handed_over(net), path, onnx_options(net, opset));
}

Int8File save_int8_onnx(const std::filesystem::path& path, const DescribedNet& net,
                        const deploy::QuantizedNet& quantized, int opset) {
  deploy::OnnxOptions onnx = onnx_options(net, opset);
  const std::int64_t float_size_bytes = deploy::onnx_size_bytes(as_handed_over(net), onnx);
  onnx.metadata["precision"] = R"("int8")";
  deploy::export_quantized_onnx(quantized, path, onnx);
  return {static_cast<std::int64_t>(std::filesystem::file_size(path)), float_size_bytes};
}

void save_torchscript(const std::filesystem::path& path, const DescribedNet& net) {
  deploy::export_torchscript(as_handed_over(net), path, {{"input.json", json_text(net.input)}});
}

void save_all_formats(const std::filesystem::path& folder, const DescribedNet& net) {
  write_json(folder / "arch.json", net.space.to_json(net.arch));
  save_net(folder / "weights.safetensors", net);
  save_onnx(folder / "model.onnx", net);
  save_torchscript(folder / "model.pt", net);
  const graph::Net unfolded = on_pixels(net.net, net.input);
  const nn::Executor executor(unfolded.graph);
  const nn::Binding binding = nn::bind(unfolded);
  deploy::verify_torchscript(unfolded.graph, folder / "model.pt", [&](const FloatTensor& input) {
    const c10::NoGradGuard no_grad;
    return nn::from_torch(executor.forward(binding, nn::to_torch(input)));
  });
}

NetFile load_net(const std::filesystem::path& path, const std::string& space_file,
                 const nlohmann::json& arch_json) {
  const std::string where = path.string();
  SafetensorsFile file = load_safetensors(path);
  const auto metadata = [&](const std::string& key) {
    return parse_json(metadata_text(file.metadata, key, where), where + ": " + key);
  };
  const nlohmann::json arch_in_json = arch_json.is_null() ? metadata("arch") : arch_json;
  space::TaskOverrides task;
  if (file.metadata.contains("task")) {
    const nlohmann::json json = metadata("task");
    task.in_channels = json_member<int>(json, "in_channels", where);
    task.num_classes = json_member<int>(json, "num_classes", where);
    task.input_size = json_member<int>(json, "input_size", where);
  }
  const std::string name =
      space_file.empty() ? name_of_space(file, arch_in_json, where) : space_file;
  if (!space::is_space_file(name) && !space::is_space_name(name)) {
    throw Error(where + ": is of space " + name +
                ", which isn't built in: add --space and the space's file");
  }
  const std::shared_ptr<const space::Space> space = space::open_space(name, task);
  const space::Arch arch = space->from_json(arch_in_json, where);
  graph::Net net{space->graph(arch), std::move(file.tensors)};
  try {
    graph::check_weights(net);
  } catch (const std::invalid_argument& error) {
    throw Error(where + ": doesn't fit the net of its arch: " + error.what());
  }
  return {space, arch, std::move(net), input_of(file, *space, where)};
}

}  // namespace lathe::run
