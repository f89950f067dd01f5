#include "lathe/train/records/checkpoint.h"

#include <array>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::train {
namespace {

constexpr const char* kCheckpointVersion = "2";
constexpr std::array kParts{"optimizer", "average", "teacher", "logits", "logits_optimizer"};

nlohmann::json json_metadata(const SafetensorsFile& file, const char* key,
                             const std::string& where) {
  return parse_json(metadata_text(file.metadata, key, where), where + ": " + key);
}

std::int64_t number(const std::string& text, const std::string& where) {
  if (text.empty() || text.size() > 18 ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    throw Error(where + ": steps_done must be a number, got \"" + text + "\"");
  }
  return std::stoll(text);
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  SafetensorsFile file{checkpoint.weights,
                       {{"lathe_checkpoint", kCheckpointVersion},
                        {"space", checkpoint.weights_of},
                        {"steps_done", std::to_string(checkpoint.steps_done)},
                        {"settings", checkpoint.settings.dump()},
                        {"state", checkpoint.state.dump()}}};
  for (const auto& [part, tensors] : checkpoint.parts) {
    for (const auto& [name, tensor] : tensors) {
      file.tensors[part + "." + name] = tensor;
    }
  }
  save_safetensors(path, file);
}

Checkpoint load_checkpoint(const std::filesystem::path& path, const std::string& weights_of) {
  SafetensorsFile file = load_safetensors(path);
  const std::string where = path.string();
  if (!file.metadata.contains("lathe_checkpoint")) {
    throw Error(where + ": not a lathe checkpoint: no \"lathe_checkpoint\" in its metadata");
  }
  const std::string& version = file.metadata["lathe_checkpoint"];
  if (version != kCheckpointVersion) {
    throw Error(where + ": checkpoint format " + version + ", this version reads " +
                kCheckpointVersion + "; train again in another --out");
  }
  Checkpoint checkpoint{.weights_of = metadata_text(file.metadata, "space", where)};
  if (checkpoint.weights_of != weights_of) {
    throw Error(where + ": is a checkpoint of space " + checkpoint.weights_of + ", expected " +
                weights_of + "; use another --out or --space");
  }
  checkpoint.steps_done = number(metadata_text(file.metadata, "steps_done", where), where);
  checkpoint.settings = json_metadata(file, "settings", where);
  checkpoint.state = json_metadata(file, "state", where);
  if (!checkpoint.settings.is_object()) {
    throw Error(where + ": its settings are not a JSON object");
  }
  for (auto& [name, tensor] : file.tensors) {
    TensorMap* home = &checkpoint.weights;
    std::string own_name = name;
    for (const std::string part : kParts) {
      if (name.starts_with(part + ".")) {
        home = &checkpoint.parts[part];
        own_name = name.substr(part.size() + 1);
      }
    }
    home->emplace(std::move(own_name), std::move(tensor));
  }
  return checkpoint;
}

void check_settings(const Checkpoint& checkpoint, const nlohmann::json& expected,
                    const std::filesystem::path& path) {
  for (const auto& [key, value] : expected.items()) {
    const nlohmann::json saved = checkpoint.settings.value(key, nlohmann::json());
    if (saved != value) {
      throw Error(path.string() + ": was made with " + key + " = " + saved.dump() +
                  ", this run has " + value.dump() + "; use the same options or another --out");
    }
  }
}

}  // namespace lathe::train
