#include "lathe/run/net_file.h"

#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/space/space_file.h"

namespace lathe::run {

void save_net(const std::filesystem::path& path, const graph::Net& net, const space::Space& space,
              const space::Arch& arch) {
  const nlohmann::ordered_json task{{"in_channels", space.task().in_channels},
                                    {"num_classes", space.task().num_classes},
                                    {"input_size", space.input_size(arch)}};
  save_safetensors(
      path,
      {net.weights,
       {{"space", space.name()}, {"arch", space.to_json(arch).dump()}, {"task", task.dump()}}});
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
      space_file.empty() ? json_member<std::string>(arch_in_json, "space", where) : space_file;
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
  return {space, arch, std::move(net)};
}

}  // namespace lathe::run
