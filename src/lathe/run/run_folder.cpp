#include "lathe/run/run_folder.h"

#include <sstream>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::run {
namespace {

constexpr const char* kConfigName = "config.toml";
constexpr const char* kSpaceName = "space.json";

void require_same_config(const std::filesystem::path& path, const std::string& now) {
  std::istringstream before_lines(read_file(path));
  std::istringstream now_lines(now);
  std::string before_line;
  std::string now_line;
  while (true) {
    const bool more_before = static_cast<bool>(std::getline(before_lines, before_line));
    const bool more_now = static_cast<bool>(std::getline(now_lines, now_line));
    if (!more_before && !more_now) {
      return;
    }
    if (!more_before || !more_now || before_line != now_line) {
      throw Error(path.string() + ": the run there has `" + (more_before ? before_line : "") +
                  "`, this one `" + (more_now ? now_line : "") +
                  "`; use the same options or another --out");
    }
  }
}

/// Whether a stage has left anything beside what the run was told.
bool has_begun(const std::filesystem::path& root) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    if (entry.path().filename() != kConfigName && entry.path().filename() != kSpaceName) {
      return true;
    }
  }
  return false;
}

}  // namespace

RunFolder RunFolder::open(const std::filesystem::path& root, const std::string& config,
                          bool resume) {
  std::error_code error;
  std::filesystem::create_directories(root, error);
  if (error) {
    throw Error(root.string() + ": cannot make the output folder: " + error.message() +
                "; choose another --out");
  }
  auto lock = std::make_shared<FileLock>(root);
  const std::filesystem::path config_path = root / kConfigName;
  const bool begun = std::filesystem::exists(config_path, error) && has_begun(root);
  if (!begun) {
    write_file_atomic(config_path, config);
  } else if (resume) {
    require_same_config(config_path, config);
  } else {
    throw Error(root.string() +
                ": holds a run already; add --resume to go on with it, or use another --out");
  }
  return {root, begun, std::move(lock)};
}

std::filesystem::path RunFolder::space_file() const { return root_ / kSpaceName; }

}  // namespace lathe::run
