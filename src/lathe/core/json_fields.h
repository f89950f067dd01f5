// Reading JSON that people write by hand: every value within its bounds, no unknown field, and
// every mistake named by its path, `stages[2].kernels[0]`.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lathe {

/// `value` as people write it: 3, not 3.0.
nlohmann::ordered_json json_number(double value);

/// Which numbers a field takes, both bounds included.
struct NumberDomain {
  enum class Kind { kInteger, kOddInteger, kReal };
  Kind kind = Kind::kInteger;
  double low = 1;
  double high = 1;
};

/// One object of a file; refers to the JSON, which must outlive it. What has no default must be
/// there. All @throw Error `<where>: <path>: expected ..., got ...`.
class JsonFields {
 public:
  /// `where` names the file, `path` the object within it, empty for the outermost.
  /// @throws Error if `object` is none, or has a field that is not `known`, with the nearest names.
  JsonFields(const nlohmann::json& object, std::string where, std::string path,
             const std::vector<std::string>& known);

  bool has(const std::string& key) const { return find(key) != nullptr; }
  double number(const std::string& key, const NumberDomain& domain,
                std::optional<double> otherwise = {}) const;
  /// As number(), for domains within int.
  int integer(const std::string& key, const NumberDomain& domain,
              std::optional<int> otherwise = {}) const;
  bool flag(const std::string& key, std::optional<bool> otherwise = {}) const;
  /// 1 to `max_length` letters, digits, "_", "-" or ".".
  std::string identifier(const std::string& key, std::size_t max_length) const;
  /// One of `names`.
  std::string one_of(const std::string& key, const std::vector<std::string>& names,
                     std::optional<std::string> otherwise = {}) const;
  /// 1 to `max_count` numbers in ascending order, each once.
  std::vector<double> ascending(const std::string& key, const NumberDomain& domain,
                                std::size_t max_count) const;
  /// A missing one is read as an empty one.
  JsonFields object(const std::string& key, const std::vector<std::string>& known) const;
  /// A list of 1 to `max_count` objects.
  std::vector<JsonFields> objects(const std::string& key, std::size_t max_count,
                                  const std::vector<std::string>& known) const;

  /// For what only the caller can tell: throws `<where>: <path of key>: <what>`.
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;

 private:
  const nlohmann::json* find(const std::string& key) const;
  const nlohmann::json& list(const std::string& key, std::size_t max_count) const;
  double checked(const nlohmann::json* value, const NumberDomain& domain,
                 const std::string& key) const;
  std::string path_of(const std::string& key) const;

  const nlohmann::json* object_;
  std::string where_;
  std::string path_;
};

}  // namespace lathe
