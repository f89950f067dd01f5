#include "lathe/core/error.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>
#include <vector>

namespace lathe {
namespace {

// What is wrong stands at the beginning, the next step at the end.
constexpr std::size_t kShownAtBegin = 1200;
constexpr std::size_t kShownAtEnd = 600;
constexpr std::size_t kMostSuggestions = 3;
constexpr std::size_t kShortestPart = 3;  ///< a shorter part of a name says too little

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

std::string one_line(std::string text) {
  if (text.size() > kShownAtBegin + kShownAtEnd) {  // characters of UTF-8 stay whole
    std::size_t begin = kShownAtBegin;
    std::size_t end = text.size() - kShownAtEnd;
    while (begin > 0 && continues_character(text[begin])) --begin;
    while (end < text.size() && continues_character(text[end])) ++end;
    text = text.substr(0, begin) + " ... " + text.substr(end);
  }
  for (char& c : text) {
    if (std::iscntrl(static_cast<unsigned char>(c)) != 0) c = ' ';
  }
  return text;
}

std::string lowered(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

/// Levenshtein's distance with one row of memory.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row.back();
}

bool is_part_of(std::string_view part, std::string_view whole) {
  return part.size() >= kShortestPart && whole.find(part) != std::string_view::npos;
}

std::string quoted_list(std::span<const std::string> names, std::string_view last_separator) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? last_separator : std::string_view(", ");
    text += '"' + names[i] + '"';
  }
  return text;
}

}  // namespace

Error::Error(std::string text) : std::runtime_error(one_line(std::move(text))) {}

std::string nearest_names(std::string_view name, std::span<const std::string> known) {
  if (known.empty()) return "none is known";
  const std::string wanted = lowered(name.substr(0, 256));
  std::vector<std::pair<std::size_t, std::string>> close;
  for (const std::string& candidate : known) {
    const std::string other = lowered(candidate);
    const std::size_t distance = edit_distance(wanted, other);
    const std::size_t allowed = std::max<std::size_t>(1, std::max(wanted.size(), other.size()) / 3);
    if (distance <= allowed || is_part_of(wanted, other) || is_part_of(other, wanted)) {
      close.emplace_back(distance, candidate);
    }
  }
  if (close.empty()) return "known: " + quoted_list(known, ", ");
  std::sort(close.begin(), close.end());
  close.resize(std::min(close.size(), kMostSuggestions));
  std::vector<std::string> names;
  for (auto& [distance, candidate] : close) names.push_back(std::move(candidate));
  return "did you mean " + quoted_list(names, " or ") + "?";
}

}  // namespace lathe
