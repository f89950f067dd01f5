// Bounds of the numbers on the command line.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>
#include <type_traits>

namespace lathe::app {

/// For CLI11: accepts numbers from `low` to `high`. What CLI::Range says of others depends on its
/// version, and names neither what was expected nor what came as our other errors do.
template <typename T>
CLI::Validator between(T low, T high) {
  const CLI::Range range(low, high);
  const char* number = std::is_integral_v<T> ? "whole number" : "number";
  const auto refuse = [range, low, high, number](std::string& text) {
    return range(text).empty()
               ? std::string()
               : fmt::format("must be a {} from {} to {}, got \"{}\"", number, low, high, text);
  };
  return CLI::Validator(refuse, range.get_description());
}

}  // namespace lathe::app
