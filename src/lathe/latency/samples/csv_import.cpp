#include "lathe/latency/samples/csv_import.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::latency {
namespace {

using Cells = std::vector<std::string>;

constexpr const char* kArchColumn = "arch";
constexpr const char* kResolution = "r";

// An open quote at the end of the line is an error: cells don't span lines.
Cells cells_of(std::string_view line, const std::string& where) {
  Cells cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[++i];
    } else if (c == '"' && (quoted || cells.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  if (quoted) {
    throw Error(where + ": a quoted cell has no end on its line");
  }
  return cells;
}

double number_of(std::string_view text, const std::string& what, const std::string& where) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  double value = 0.0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || status != std::errc() || end != text.data() + text.size()) {
    throw Error(where + ": \"" + what + "\": expected a number, got \"" +
                std::string(text.substr(0, 40)) + "\"");
  }
  return value;
}

nlohmann::json genes_of(const std::string& cell, const std::string& what,
                        const std::string& where) {
  nlohmann::json genes = nlohmann::json::array();
  std::string_view rest = cell;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0) {
      genes.push_back(number_of(rest.substr(0, end), what, where));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return genes;
}

/// Where the columns that matter are.
class Header {
 public:
  Header(const Cells& names, const space::Space& space, const std::string& column,
         const std::string& where)
      : size_(names.size()), latency_(find(names, column, where)) {
    if (std::ranges::find(names, kArchColumn) != names.end()) {
      groups_.emplace_back(kArchColumn, find(names, kArchColumn, where));
      return;
    }
    std::set<std::string> keys;
    for (const space::Decision& decision : space.decisions()) {
      keys.insert(decision.group);
    }
    if (std::ranges::find(names, kResolution) != names.end()) {
      keys.insert(kResolution);
    }
    for (const std::string& key : keys) {
      groups_.emplace_back(key, find(names, key, where));
    }
  }

  LatencySample sample(const Cells& cells, const space::Space& space, const std::string& column,
                       const std::string& where) const {
    if (cells.size() != size_) {
      throw Error(where + ": expected " + std::to_string(size_) + " cells, got " +
                  std::to_string(cells.size()));
    }
    nlohmann::json arch;
    for (const auto& [key, at] : groups_) {
      if (key == kArchColumn) {
        arch = parse_json(cells[at], where);
      } else if (key == kResolution) {
        arch[key] = number_of(cells[at], key, where);
      } else {
        arch[key] = genes_of(cells[at], key, where);
      }
    }
    const double ms = number_of(cells[latency_], column, where);
    if (!std::isfinite(ms) || ms <= 0) {
      throw Error(where + ": \"" + column + "\": must be > 0 ms, got " + cells[latency_]);
    }
    return {.arch = space.from_json(arch, where), .median_ms = ms, .p90_ms = ms, .repeats = 1};
  }

 private:
  static std::size_t find(const Cells& names, const std::string& name, const std::string& where) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) {
      throw Error(where + ": no column \"" + name + "\": " + nearest_names(name, names));
    }
    return static_cast<std::size_t>(found - names.begin());
  }

  std::size_t size_;
  std::size_t latency_;
  std::vector<std::pair<std::string, std::size_t>> groups_;
};

}  // namespace

std::vector<LatencySample> read_latency_csv(const std::filesystem::path& path,
                                            const space::Space& space, const std::string& column) {
  const std::string text = read_file(path);
  std::vector<LatencySample> samples;
  std::optional<Header> header;
  std::string_view rest = text;
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::string where = path.string() + ":" + std::to_string(number);
    const Cells cells = cells_of(line, where);
    if (!header) {
      header.emplace(cells, space, column, where);
    } else {
      samples.push_back(header->sample(cells, space, column, where));
    }
  }
  if (samples.empty()) {
    throw Error(path.string() + ": expected a line of column names and rows below it, got no rows");
  }
  return samples;
}

}  // namespace lathe::latency
