#include "lathe/train/checkpoint.h"

#include <ATen/ATen.h>

#include "lathe/core/error.h"

namespace lathe::train {
namespace {

constexpr const char* kMomentum = "optimizer.momentum";
constexpr const char* kVersion = "1";

/// Reads and checks everything about a checkpoint but the tensors' names and shapes.
SafetensorsFile load_file(const std::filesystem::path& path, const nn::Supernet& supernet) {
  SafetensorsFile file = load_safetensors(path);
  const auto metadata = [&](const std::string& key) {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end()) {
      throw Error(path.string() + ": not a lathe checkpoint: no \"" + key + "\" in its metadata");
    }
    return found->second;
  };
  if (metadata("lathe_checkpoint") != kVersion) {
    throw Error(path.string() + ": checkpoint format " + metadata("lathe_checkpoint") +
                ", this version reads " + kVersion);
  }
  if (metadata("space") != supernet.space().name()) {
    throw Error(path.string() + ": is a checkpoint of space " + metadata("space") + ", expected " +
                supernet.space().name() + "; use another --out or --space");
  }
  if (!file.tensors.contains(kMomentum) ||
      file.tensors[kMomentum].shape != std::vector<std::int64_t>{supernet.parameters().size()}) {
    throw Error(path.string() + ": the optimizer's momentum is missing or of another size");
  }
  metadata("steps_done");
  metadata("settings");
  return file;
}

void check_settings(const std::filesystem::path& path, const std::string& text,
                    const nlohmann::json& expected) {
  const nlohmann::json saved = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!saved.is_object()) {
    throw Error(path.string() + ": its settings are not a JSON object");
  }
  for (const auto& [key, value] : expected.items()) {
    if (saved.value(key, nlohmann::json()) != value) {
      throw Error(path.string() + ": was made with " + key + " = " +
                  saved.value(key, nlohmann::json()).dump() + ", this run has " + value.dump() +
                  "; use the same options or another --out");
    }
  }
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const nn::Supernet& supernet,
                     const Sgd& optimizer, std::int64_t steps_done,
                     const nlohmann::json& settings) {
  SafetensorsFile file{supernet.state(),
                       {{"lathe_checkpoint", kVersion},
                        {"space", supernet.space().name()},
                        {"steps_done", std::to_string(steps_done)},
                        {"settings", settings.dump()}}};
  file.tensors[kMomentum] = nn::from_torch(optimizer.momentum());
  save_safetensors(path, file);
}

std::int64_t load_checkpoint(const std::filesystem::path& path, nn::Supernet& supernet,
                             Sgd& optimizer, const nlohmann::json& settings) {
  SafetensorsFile file = load_file(path, supernet);
  check_settings(path, file.metadata["settings"], settings);
  const std::string& text = file.metadata["steps_done"];
  if (text.empty() || text.size() > 18 ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    throw Error(path.string() + ": steps_done must be a number, got \"" + text + "\"");
  }
  const at::Tensor momentum = nn::to_torch(file.tensors.at(kMomentum));
  file.tensors.erase(kMomentum);
  supernet.load_state(file.tensors, path.string());
  optimizer.momentum().copy_(momentum);
  return std::stoll(text);
}

void load_supernet(const std::filesystem::path& path, nn::Supernet& supernet) {
  SafetensorsFile file = load_file(path, supernet);
  file.tensors.erase(kMomentum);
  supernet.load_state(file.tensors, path.string());
}

}  // namespace lathe::train
