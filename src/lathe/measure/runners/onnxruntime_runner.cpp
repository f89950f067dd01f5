#include "lathe/measure/runners/onnxruntime_runner.h"

#include <filesystem>
#include <system_error>

namespace lathe::measure {

std::string onnxruntime_command() {
  std::error_code error;  // without /proc there is none
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto program = self.parent_path() / "lathe-onnxruntime";
  if (!std::filesystem::exists(program, error)) {
    return {};
  }
  std::string quoted = "'";
  for (const char c : program.string()) {
    quoted += c == '\'' ? "'\\''" : std::string(1, c);
  }
  return quoted + "'";
}

}  // namespace lathe::measure
