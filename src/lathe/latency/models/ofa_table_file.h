// One file of a published latency table, as far as it can be read without knowing a space.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <unordered_map>

namespace lathe::latency {

struct OfaTableFile {
  std::string path;
  std::unordered_map<std::string, double> mean_ms;  ///< by the row's name
};

/// A map of maps; of each row its "mean". Read event by event: nothing is built that the text could
/// multiply. @throws Error as load_ofa_tables(), with the line.
OfaTableFile read_ofa_table(const std::filesystem::path& path);

/// The same of a text; `path` is for errors.
OfaTableFile parse_ofa_table(const std::string& text, const std::string& path);

}  // namespace lathe::latency
