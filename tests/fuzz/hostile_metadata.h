// Safetensors files whose metadata are whatever the fuzzer came up with. Of a whole file it seldom
// changes a text and the lengths before it alike.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace lathe::testing {

/// `file`, the bytes of a good one, but for the metadata that `lines` has: `key=value` each.
inline std::string with_metadata(const std::string& file, const std::string& lines) {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  nlohmann::json header = nlohmann::json::parse(file.substr(sizeof length, length));
  const std::string tensors = file.substr(sizeof length + length);
  std::istringstream input(lines);
  for (std::string line; std::getline(input, line);) {
    if (const std::size_t equals = line.find('='); equals != std::string::npos) {
      header["__metadata__"][line.substr(0, equals)] = line.substr(equals + 1);
    }
  }
  const std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  length = text.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text + tensors;
}

}  // namespace lathe::testing
