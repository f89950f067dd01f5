#include "lathe/core/json_fields.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe {
namespace {

using nlohmann::json;

std::string text(const NumberDomain& domain) {
  const char* kind = domain.kind == NumberDomain::Kind::kReal         ? "a number"
                     : domain.kind == NumberDomain::Kind::kOddInteger ? "an odd integer"
                                                                      : "an integer";
  return std::string(kind) + " in [" + json_number(domain.low).dump() + ", " +
         json_number(domain.high).dump() + "]";
}

bool contains(const NumberDomain& domain, const json& value) {
  if (!value.is_number() ||
      (domain.kind != NumberDomain::Kind::kReal && !value.is_number_integer())) {
    return false;
  }
  const auto number = value.get<double>();
  return number >= domain.low && number <= domain.high &&
         (domain.kind != NumberDomain::Kind::kOddInteger || std::fmod(number, 2) != 0);
}

std::string summary(const json* value) {
  return value == nullptr ? "nothing" : internal::json_summary(*value);
}

std::string item(const std::string& key, std::size_t i) {
  return key + "[" + std::to_string(i) + "]";
}

}  // namespace

nlohmann::ordered_json json_number(double value) {
  constexpr double kExactIntegers = 9007199254740992.0;  // 2^53
  if (value == std::floor(value) && std::abs(value) <= kExactIntegers) {
    return static_cast<std::int64_t>(value);
  }
  return value;
}

JsonFields::JsonFields(const json& object, std::string where, std::string path,
                       const std::vector<std::string>& known)
    : object_(&object), where_(std::move(where)), path_(std::move(path)) {
  if (!object.is_object()) {
    fail("", "expected an object, got " + internal::json_summary(object));
  }
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      fail("", "unknown field " + internal::json_summary(key) + ": " + nearest_names(key, known));
    }
  }
}

double JsonFields::number(const std::string& key, const NumberDomain& domain,
                          std::optional<double> otherwise) const {
  const json* value = find(key);
  return value == nullptr && otherwise ? *otherwise : checked(value, domain, key);
}

int JsonFields::integer(const std::string& key, const NumberDomain& domain,
                        std::optional<int> otherwise) const {
  return static_cast<int>(number(key, domain, otherwise));
}

bool JsonFields::flag(const std::string& key, std::optional<bool> otherwise) const {
  const json* value = find(key);
  if (value == nullptr && otherwise) {
    return *otherwise;
  }
  if (value == nullptr || !value->is_boolean()) {
    fail(key, "expected true or false, got " + summary(value));
  }
  return value->get<bool>();
}

std::string JsonFields::identifier(const std::string& key, std::size_t max_length) const {
  const json* value = find(key);
  const std::string given =
      value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
  const bool plain = std::all_of(given.begin(), given.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  if (given.empty() || given.size() > max_length || !plain) {
    fail(key, "expected 1 to " + std::to_string(max_length) +
                  " letters, digits, \"_\", \"-\" or \".\", got " + summary(value));
  }
  return given;
}

std::string JsonFields::one_of(const std::string& key, const std::vector<std::string>& names,
                               std::optional<std::string> otherwise) const {
  const json* value = find(key);
  if (value == nullptr && otherwise) {
    return *otherwise;
  }
  std::string all;
  for (const std::string& name : names) {
    if (value != nullptr && *value == name) {
      return name;
    }
    all += (all.empty() ? "" : ", ") + json(name).dump();
  }
  fail(key, "expected one of " + all + ", got " + summary(value));
}

std::vector<double> JsonFields::ascending(const std::string& key, const NumberDomain& domain,
                                          std::size_t max_count) const {
  std::vector<double> values;
  for (const json& element : list(key, max_count)) {
    const std::string at = item(key, values.size());
    const double value = checked(&element, domain, at);
    if (!values.empty() && value <= values.back()) {
      fail(at, "expected more than " + json_number(values.back()).dump() +
                   ", which stands before it, got " + json_number(value).dump());
    }
    values.push_back(value);
  }
  return values;
}

JsonFields JsonFields::object(const std::string& key, const std::vector<std::string>& known) const {
  static const json kEmpty = json::object();
  const json* value = find(key);
  return {value == nullptr ? kEmpty : *value, where_, path_of(key), known};
}

std::vector<JsonFields> JsonFields::objects(const std::string& key, std::size_t max_count,
                                            const std::vector<std::string>& known) const {
  std::vector<JsonFields> objects;
  for (const json& element : list(key, max_count)) {
    objects.push_back({element, where_, path_of(item(key, objects.size())), known});
  }
  return objects;
}

void JsonFields::fail(const std::string& key, const std::string& what) const {
  const std::string path = path_of(key);
  throw Error(where_ + ": " + (path.empty() ? "" : path + ": ") + what);
}

const json* JsonFields::find(const std::string& key) const {
  const auto found = object_->find(key);
  return found == object_->end() ? nullptr : &*found;
}

const json& JsonFields::list(const std::string& key, std::size_t max_count) const {
  const json* value = find(key);
  const bool is_list = value != nullptr && value->is_array();
  if (!is_list || value->empty() || value->size() > max_count) {
    fail(key, "expected a list of 1 to " + std::to_string(max_count) + ", got " +
                  (is_list ? "one of " + std::to_string(value->size()) : summary(value)));
  }
  return *value;
}

double JsonFields::checked(const json* value, const NumberDomain& domain,
                           const std::string& key) const {
  if (value == nullptr || !contains(domain, *value)) {
    fail(key, "expected " + text(domain) + ", got " + summary(value));
  }
  return value->get<double>();
}

std::string JsonFields::path_of(const std::string& key) const {
  return path_.empty() || key.empty() ? path_ + key : path_ + "." + key;
}

}  // namespace lathe
