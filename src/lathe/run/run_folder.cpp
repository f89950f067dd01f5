#include "lathe/run/run_folder.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::run {
namespace {

constexpr const char* kConfigName = "config.toml";

// What may be asked anew of what a run has measured and trained.
constexpr const char* kQuestions[] = {"targets=", "num-targets=", "quantile=", "confidence="};

bool is_question(const std::string& line) {
  return std::ranges::any_of(kQuestions,
                             [&](const char* begin) { return line.rfind(begin, 0) == 0; });
}

std::vector<std::string> lines_but_questions(const std::string& config) {
  std::istringstream text(config);
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    if (!is_question(line)) {
      lines.push_back(line);
    }
  }
  return lines;
}

void require_same_config(const std::filesystem::path& path, const std::string& before,
                         const std::string& now) {
  const std::vector<std::string> kept = lines_but_questions(before);
  const std::vector<std::string> given = lines_but_questions(now);
  for (std::size_t i = 0; i < std::max(kept.size(), given.size()); ++i) {
    const std::string was = i < kept.size() ? kept[i] : "", is = i < given.size() ? given[i] : "";
    if (was != is) {
      throw Error(path.string() + ": the run there has `" + was + "`, this one `" + is +
                  "`; use the same options or another --out");
    }
  }
}

/// Whether a stage has left anything beside what the run was told.
bool has_begun(const std::filesystem::path& root) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    if (entry.path().filename() != kConfigName && entry.path().filename() != kSpaceFileName) {
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
  if (begun && !resume) {
    throw Error(root.string() +
                ": holds a run already; add --resume to go on with it, or use another --out");
  }
  const std::string before = begun ? read_file(config_path) : std::string();
  if (begun) {
    require_same_config(config_path, before, config);
  }
  if (before != config) {
    write_file_atomic(config_path, config);
  }
  return {root, begun, std::move(lock)};
}

}  // namespace lathe::run
