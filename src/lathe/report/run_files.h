// A run's folder, read as it is: whole, unfinished, of an older version, or damaged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lathe::report {

/// Reads what is there. What is missing or wrong gives an empty value and a note, never an
/// exception: a report is of what there is, and says what there isn't.
class RunFiles {
 public:
  explicit RunFiles(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  /// The folder's own name, without the folders that it is in.
  std::string name() const;
  bool has(const std::string& file) const;
  /// Null if the file is missing, not JSON, or larger than a report reads; noted but for the first.
  nlohmann::json json(const std::string& file);
  /// Lines that are JSON objects; those that aren't are noted by their number.
  std::vector<nlohmann::json> lines(const std::string& file);
  /// A member of the header of a safetensors file, itself JSON in a text; null as json().
  nlohmann::json safetensors_metadata(const std::string& file, const std::string& key);
  /// Option `key` of config.toml as its text, quotes taken away.
  std::optional<std::string> option(const std::string& key);
  /// Bytes of a file; nothing if it is none.
  std::optional<std::int64_t> size_bytes(const std::string& file) const;

  /// Whether what `part` gave failed: its Error becomes a note.
  template <typename Part>
  bool noting(Part&& part) {
    try {
      part();
      return true;
    } catch (const std::exception& error) {
      note(error.what());
      return false;
    }
  }
  /// For people, without the folders that the run is in. Each text once.
  void note(std::string text);
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::optional<std::string> text(const std::string& file);

  std::filesystem::path root_;
  std::vector<std::string> notes_;
};

/// Member `key` of `object` if it is a finite number.
std::optional<double> number(const nlohmann::json& object, const std::string& key);
/// If it is a text.
std::optional<std::string> text(const nlohmann::json& object, const std::string& key);
/// If it is an object or a list; null otherwise.
const nlohmann::json& part(const nlohmann::json& object, const std::string& key);

}  // namespace lathe::report
