// Whether a text is well-formed XML, as far as this project writes it: no comments, no CDATA, no
// document type.
#pragma once

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>
#include <vector>

namespace lathe::testing {

/// Only the five predefined entities, and no raw '<'.
inline void expect_escaped(const std::string& text) {
  static const std::regex bare("&(?!(amp|lt|gt|quot|apos);)|<");
  EXPECT_FALSE(std::regex_search(text, bare)) << text;
  for (const char c : text) {
    EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') << text;
  }
}

inline void expect_attributes(std::string text) {
  static const std::regex attribute("^\\s+([A-Za-z_:][-A-Za-z0-9_:.]*)=\"([^\"]*)\"");
  std::set<std::string> names;
  for (std::smatch match; std::regex_search(text, match, attribute); text = match.suffix()) {
    EXPECT_TRUE(names.insert(match[1]).second) << "twice: " << match[1];
    expect_escaped(match[2]);
  }
  EXPECT_EQ(text.find_first_not_of(" \n"), std::string::npos) << text;
}

/// Expects one root whose elements close in the order in which they opened.
inline void expect_well_formed(const std::string& xml) {
  std::vector<std::string> open;
  int roots = 0;
  std::size_t at = 0;
  while (at < xml.size()) {
    const std::size_t begin = xml.find('<', at);
    const std::string text = xml.substr(at, begin == std::string::npos ? begin : begin - at);
    expect_escaped(text);
    EXPECT_TRUE(!open.empty() || text.find_first_not_of(" \n") == std::string::npos) << text;
    if (begin == std::string::npos) {
      break;
    }
    const std::size_t end = xml.find('>', begin);
    ASSERT_NE(end, std::string::npos) << xml.substr(begin);
    std::string tag = xml.substr(begin + 1, end - begin - 1);
    at = end + 1;
    if (tag.starts_with("/")) {
      ASSERT_FALSE(open.empty()) << tag;
      ASSERT_EQ(tag.substr(1), open.back());
      open.pop_back();
      continue;
    }
    roots += open.empty() ? 1 : 0;
    const bool closed = tag.ends_with("/");
    if (closed) {
      tag.pop_back();
    }
    const std::string name = tag.substr(0, tag.find_first_of(" \n"));
    ASSERT_FALSE(name.empty());
    expect_attributes(tag.substr(name.size()));
    if (!closed) {
      open.push_back(name);
    }
  }
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(roots, 1);
}

}  // namespace lathe::testing
