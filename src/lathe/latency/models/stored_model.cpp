#include "lathe/latency/models/stored_model.h"

#include "lathe/core/file.h"
#include "lathe/core/tensor_map.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/latency/models/linear_model.h"
#include "lathe/latency/models/perceptron_model.h"

namespace lathe::latency {
std::vector<Certainty> StoredLatencyModel::certainty(std::span<const space::Arch> /*archs*/) const {
  return {};
}

std::unique_ptr<StoredLatencyModel> load_latency_model(const space::Space& space,
                                                       const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  const std::string where = path.string();
  if (!begins_like_json(bytes)) {
    return std::make_unique<PerceptronModel>(PerceptronModel::load(space, path));
  }
  const nlohmann::json json = parse_json(bytes, where);
  const auto format = json_member<std::string>(json, "format", where);
  if (format == BlockTable::kFormat) {
    return std::make_unique<BlockTable>(BlockTable::from_json(space, json, where));
  }
  if (format == LinearModel::kFormat) {
    return std::make_unique<LinearModel>(LinearModel::from_json(space, json, where));
  }
  throw Error(where + ": \"format\": expected a latency model (" + BlockTable::kFormat + ", " +
              LinearModel::kFormat + " or a perceptron), got \"" + format.substr(0, 60) + "\"");
}

Fingerprint fingerprint_of_model(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  const std::string where = path.string();
  nlohmann::json json;
  if (begins_like_json(bytes)) {
    json = parse_json(bytes, where);
  } else {
    const auto metadata = load_safetensors(path).metadata;
    const auto model = metadata.find("model");
    if (model == metadata.end()) {
      throw Error(where + ": expected a latency model, got tensors without one's metadata");
    }
    json = parse_json(model->second, where);
  }
  return fingerprint_from_json(json_member<nlohmann::json>(json, "fingerprint", where), where);
}

}  // namespace lathe::latency
