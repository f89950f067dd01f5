#include "lathe/report/run_files.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <sstream>

#include "lathe/core/file.h"

namespace lathe::report {
namespace {

// No file of a run that a report reads comes near it.
constexpr std::uintmax_t kLargestFile = std::uintmax_t{256} << 20;
constexpr std::uint64_t kLargestHeader = 64 << 20;

bool is_blank(const std::string& line) {
  return line.find_first_not_of(" \t\r") == std::string::npos;
}

}  // namespace

std::string RunFiles::name() const {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::weakly_canonical(root_, error);
  const std::filesystem::path& path = error ? root_ : whole;
  return (path.has_filename() ? path.filename() : path.parent_path().filename()).string();
}

bool RunFiles::has(const std::string& file) const {
  std::error_code error;
  return std::filesystem::is_regular_file(root_ / file, error);
}

std::optional<std::int64_t> RunFiles::size_bytes(const std::string& file) const {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(root_ / file, error);
  return error || !has(file) ? std::nullopt : std::optional(static_cast<std::int64_t>(size));
}

std::optional<std::string> RunFiles::text(const std::string& file) {
  const auto size = size_bytes(file);
  if (!size) {
    return {};
  }
  if (static_cast<std::uintmax_t>(*size) > kLargestFile) {
    note(file + ": too large for a report, left out");
    return {};
  }
  std::optional<std::string> bytes;
  noting([&] { bytes = read_file(root_ / file); });
  return bytes;
}

nlohmann::json RunFiles::json(const std::string& file) {
  nlohmann::json value;
  if (const auto bytes = text(file)) {
    noting([&] { value = parse_json(*bytes, file); });
  }
  return value;
}

std::vector<nlohmann::json> RunFiles::lines(const std::string& file) {
  std::vector<nlohmann::json> values;
  std::istringstream stream(text(file).value_or(""));
  std::size_t count = 0, wrong = 0, first_wrong = 0;
  for (std::string line; std::getline(stream, line);) {
    ++count;
    if (is_blank(line)) {
      continue;
    }
    nlohmann::json value;
    try {
      value = parse_json(line, file);
    } catch (const std::exception&) {  // counted below
    }
    if (value.is_object()) {
      values.push_back(std::move(value));
    } else if (++wrong == 1) {
      first_wrong = count;
    }
  }
  if (wrong > 0) {
    note(file + ": line " + std::to_string(first_wrong) + " is no JSON object" +
         (wrong > 1 ? ", nor are " + std::to_string(wrong - 1) + " more" : "") + "; left out");
  }
  return values;
}

nlohmann::json RunFiles::safetensors_metadata(const std::string& file, const std::string& key) {
  nlohmann::json value;
  if (!has(file)) {
    return value;
  }
  noting([&] {
    std::ifstream stream(root_ / file, std::ios::binary);
    std::array<unsigned char, 8> length{};
    stream.read(reinterpret_cast<char*>(length.data()), length.size());
    std::uint64_t size = 0;
    for (std::size_t i = length.size(); i-- > 0;) {
      size = size << 8 | length[i];
    }
    if (!stream || size > kLargestHeader) {
      throw Error(file + ": expected safetensors, got another header");
    }
    std::string header(size, '\0');
    stream.read(header.data(), static_cast<std::streamsize>(size));
    const nlohmann::json json = parse_json(header, file);
    if (const auto found = report::text(part(json, "__metadata__"), key)) {
      value = parse_json(*found, file + ": " + key);
    }
  });
  return value;
}

std::optional<std::string> RunFiles::option(const std::string& key) {
  std::istringstream stream(text("config.toml").value_or(""));
  for (std::string line; std::getline(stream, line);) {
    if (line.rfind(key + "=", 0) == 0) {
      std::string value = line.substr(key.size() + 1);
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
      }
      return value;
    }
  }
  return {};
}

void RunFiles::note(std::string text) {
  // Errors name whole paths; reports are given to others, who need not see them.
  for (const std::string& prefix :
       {root_.string() + "/",
        root_.parent_path().empty() ? "" : root_.parent_path().string() + "/"}) {
    for (std::size_t at = 0;
         prefix.size() > 1 && (at = text.find(prefix, at)) != std::string::npos;) {
      text.erase(at, prefix.size());
    }
  }
  if (std::ranges::find(notes_, text) == notes_.end()) {
    notes_.push_back(std::move(text));
  }
}

std::optional<double> number(const nlohmann::json& object, const std::string& key) {
  if (!object.is_object() || !object.contains(key) || !object.at(key).is_number()) {
    return {};
  }
  const double value = object.at(key).get<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<std::string> text(const nlohmann::json& object, const std::string& key) {
  if (!object.is_object() || !object.contains(key) || !object.at(key).is_string()) {
    return {};
  }
  return object.at(key).get<std::string>();
}

const nlohmann::json& part(const nlohmann::json& object, const std::string& key) {
  static const nlohmann::json kNone;
  if (!object.is_object() || !object.contains(key) || !object.at(key).is_structured()) {
    return kNone;
  }
  return object.at(key);
}

}  // namespace lathe::report
