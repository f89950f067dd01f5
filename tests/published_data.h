// The papers' published tables, for tests that compare with them: in the folder that
// LATHE_PUBLISHED_DATA names. Tests are skipped, saying so, where it is unset.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace lathe::testing {

inline std::optional<std::filesystem::path> published_data() {
  const char* folder = std::getenv("LATHE_PUBLISHED_DATA");
  return folder == nullptr ? std::nullopt : std::optional<std::filesystem::path>(folder);
}

/// A net of ofa_note10/golden.csv (OFA-MultLat, Apache-2.0): figures to two decimals.
struct GoldenNet {
  nlohmann::json arch;
  double accuracy_percent = 0.0;
  double latency_ms = 0.0;
};

inline std::vector<GoldenNet> golden_nets(const std::filesystem::path& folder) {
  const auto numbers = [](const std::string& text) {
    std::istringstream stream(text);
    nlohmann::json list = nlohmann::json::array();
    for (int value = 0; stream >> value;) {
      list.push_back(value);
    }
    return list;
  };
  std::ifstream file(folder / "ofa_note10" / "golden.csv");
  std::vector<GoldenNet> nets;
  std::string line;
  std::getline(file, line);  // ks,e,d,r,pred_acc_pct,lut_ms,...
  while (std::getline(file, line)) {
    std::istringstream stream(line);
    std::vector<std::string> cells;
    for (std::string cell; std::getline(stream, cell, ',');) {
      cells.push_back(cell);
    }
    nets.push_back({.arch = {{"ks", numbers(cells.at(0))},
                             {"e", numbers(cells.at(1))},
                             {"d", numbers(cells.at(2))},
                             {"r", std::stoi(cells.at(3))}},
                    .accuracy_percent = std::stod(cells.at(4)),
                    .latency_ms = std::stod(cells.at(5))});
  }
  return nets;
}

}  // namespace lathe::testing
