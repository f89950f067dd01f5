// Files that are either the old or the new version, never half of one.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/core/error.h"

namespace lathe {

/// The whole file. @throws Error naming the path if it can't be read.
std::string read_file(const std::filesystem::path& path);

/// Writes beside `path`, syncs, then renames over it: after a crash or on a full disk the previous
/// file is intact and nothing is left beside it. Makes missing parent folders.
/// @throws Error naming the path and the system's reason.
void write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

/// @throws Error naming the path, and the position where it is not JSON.
nlohmann::json read_json(const std::filesystem::path& path);
/// Indented, with a final newline, atomically.
void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& value);

/// The member `key` of `object` as T. @throws Error `<where>: "<key>": expected ..., got ...` if it
/// is missing or of another type.
template <typename T>
T json_member(const nlohmann::json& object, const std::string& key, const std::string& where);

/// One JSON value a line, flushed at each append. Opening for append drops a torn last line.
class JsonLines {
 public:
  explicit JsonLines(std::filesystem::path path) : path_(std::move(path)) {}
  /// All complete lines; an unfinished last line (a crash while appending) is left out.
  /// A missing file is an empty list. @throws Error naming file and line if a line is not JSON.
  std::vector<nlohmann::json> read() const;
  /// @throws Error naming the path and the system's reason.
  void append(const nlohmann::ordered_json& value);

 private:
  std::filesystem::path path_;
  bool repaired_ = false;
};

template <typename T>
T json_member(const nlohmann::json& object, const std::string& key, const std::string& where) {
  if (!object.is_object() || !object.contains(key)) {
    throw Error(where + ": missing member \"" + key + "\"");
  }
  try {
    return object.at(key).get<T>();
  } catch (const nlohmann::json::exception&) {
    throw Error(where + ": member \"" + key + "\" has the wrong type: " +
                object.at(key).dump().substr(0, 60));
  }
}

}  // namespace lathe
