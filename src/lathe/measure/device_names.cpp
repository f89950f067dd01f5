#include "lathe/measure/device_names.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

namespace lathe::measure {
namespace {

constexpr const char* kGpus = "/proc/driver/nvidia/gpus";

/// What stands after `key` and a colon in the first line of `path` that begins with it.
std::string field(const std::filesystem::path& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    if (line.starts_with(key) && colon != std::string::npos && value != std::string::npos) {
      return line.substr(value);
    }
  }
  return {};
}

}  // namespace

std::string cpu_model() {
  const std::string model = field("/proc/cpuinfo", "model name");
  return model.empty() ? "unknown CPU" : model;
}

std::string gpu_model(int index) {
  std::vector<std::filesystem::path> gpus;
  std::error_code error;
  for (const auto& gpu : std::filesystem::directory_iterator(kGpus, error)) {
    gpus.push_back(gpu.path());
  }
  std::ranges::sort(gpus);
  const auto at = static_cast<std::size_t>(index);
  const std::string model = at < gpus.size() ? field(gpus[at] / "information", "Model") : "";
  return model.empty() ? "cuda:" + std::to_string(index) : model;
}

}  // namespace lathe::measure
