// Files that are either the old or the new version, never half of one.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lathe/core/error.h"

namespace lathe {

/// The whole file. @throws Error naming the path if it can't be read.
std::string read_file(const std::filesystem::path& path);

/// Writes `<path>.tmp.<process id>`, syncs, then renames it over `path`: after a crash or on a full
/// disk the previous file is intact; after a failure (not a crash) nothing is left beside it. Makes
/// missing parent folders. One thread at a time for each path.
/// @throws Error `<path>: cannot write: <the system's reason>`.
void write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

/// Adds `bytes` at the end of a file, which is made if it is missing, with its parent folders.
/// Given to the system, not synced to the disk. Leaves the file as it was if they can't be written
/// whole. @throws Error as write_file_atomic().
void append_to_file(const std::filesystem::path& path, std::string_view bytes);

/// `text` as JSON; `where` begins the error's text. Safe on hostile text: nesting is limited to
/// 200, so that neither reading nor using the value can exhaust the stack.
/// @throws Error `<where>: not valid JSON at line 2, column 5`.
nlohmann::json parse_json(std::string_view text, const std::string& where);

/// Whether a file's bytes are to be read as a JSON object rather than as safetensors: those begin
/// with a length of eight bytes, of which the last is 0.
bool begins_like_json(std::string_view bytes);

/// @throws Error naming the path, and the position where it is not JSON.
nlohmann::json read_json(const std::filesystem::path& path);
/// Indented, with a final newline, atomically. Bytes that are not UTF-8 become U+FFFD.
void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& value);

/// The member `key` of `object` as T. Stricter than nlohmann's get: an integer must be written as
/// one and fit T, true is no number, also inside lists.
/// @throws Error `<where>: "<key>": expected ..., got ...` if it is missing or of another type.
template <typename T>
T json_member(const nlohmann::json& object, const std::string& key, const std::string& where);

/// The same of a number that must be > 0. @throws Error also `<where>: "<key>": must be > 0, got
/// 0`.
template <typename T>
T positive_json_member(const nlohmann::json& object, const std::string& key,
                       const std::string& where) {
  const T value = json_member<T>(object, key, where);
  if (value <= 0) {
    throw Error(where + ": \"" + key + "\": must be > 0, got " + std::to_string(value));
  }
  return value;
}

/// The first member of `a` that is another in `b`, `threads: 1 against 4`; nothing if there is
/// none.
std::optional<std::string> json_difference(const nlohmann::ordered_json& a,
                                           const nlohmann::ordered_json& b);

/// One JSON value a line, flushed to the system at each append (not synced to the disk). The first
/// append of an object drops a torn last line. Makes missing parent folders.
class JsonLines {
 public:
  explicit JsonLines(std::filesystem::path path) : path_(std::move(path)) {}
  /// All complete lines; an unfinished last line (a crash while appending) is left out.
  /// A missing file is an empty list. @throws Error naming file and line if a line is not JSON.
  std::vector<nlohmann::json> read() const;
  /// Leaves the file as it was if the line can't be written whole.
  /// @throws Error naming the path and the system's reason.
  void append(const nlohmann::ordered_json& value);

 private:
  std::filesystem::path path_;
  bool repaired_ = false;
};

/// A file or folder that this process alone writes: others that ask for it are refused until this
/// object, or the process however it ends, is gone. Nothing stops writers that don't ask.
class FileLock {
 public:
  /// Makes a file that is missing, with its parent folders.
  /// @throws Error `<path>: another process is writing it; ...`, or as write_file_atomic().
  explicit FileLock(const std::filesystem::path& path);
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  /// Leaves no empty file behind.
  ~FileLock();

 private:
  std::filesystem::path path_;
  int fd_;
};

namespace internal {

template <typename T>
inline constexpr bool kIsVector = false;
template <typename T, typename A>
inline constexpr bool kIsVector<std::vector<T, A>> = true;

/// A short text for an error: scalars as they are, lists and objects by name only.
std::string json_summary(const nlohmann::json& value);

template <typename T>
std::string json_expectation() {
  if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else if constexpr (std::is_integral_v<T>) {
    return "an integer in [" + std::to_string(std::numeric_limits<T>::min()) + ", " +
           std::to_string(std::numeric_limits<T>::max()) + "]";
  } else if constexpr (std::is_floating_point_v<T>) {
    return "a number";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "a string";
  } else if constexpr (kIsVector<T>) {
    return "a list, each item " + json_expectation<typename T::value_type>();
  } else {
    return "another type";
  }
}

/// Whether `value` is a T exactly; on failure `culprit` is the value at fault.
template <typename T>
bool json_holds(const nlohmann::json& value, const nlohmann::json*& culprit) {
  culprit = &value;
  if constexpr (std::is_same_v<T, bool>) {
    return value.is_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    if (value.is_number_unsigned()) return std::in_range<T>(value.get<std::uint64_t>());
    return value.is_number_integer() && std::in_range<T>(value.get<std::int64_t>());
  } else if constexpr (std::is_floating_point_v<T>) {
    return value.is_number() && std::isfinite(value.get<T>());
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value.is_string();
  } else if constexpr (kIsVector<T>) {
    if (!value.is_array()) return false;
    for (const nlohmann::json& item : value) {
      if (!json_holds<typename T::value_type>(item, culprit)) return false;
    }
    return true;
  } else {
    return true;  // left to nlohmann's own conversion
  }
}

}  // namespace internal

template <typename T>
T json_member(const nlohmann::json& object, const std::string& key, const std::string& where) {
  const auto failure = [&](const std::string& got) {
    return Error(where + ": \"" + key + "\": expected " + internal::json_expectation<T>() + got);
  };
  if (!object.is_object()) throw failure(" in an object, got " + internal::json_summary(object));
  const auto member = object.find(key);
  if (member == object.end()) throw failure(", got nothing");
  const nlohmann::json* culprit = nullptr;
  if (internal::json_holds<T>(*member, culprit)) {
    try {
      return member->template get<T>();
    } catch (const nlohmann::json::exception&) {
      culprit = &*member;
    }
  }
  throw failure(", got " + internal::json_summary(*culprit));
}

}  // namespace lathe
