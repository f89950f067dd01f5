#include "options/amount.h"

#include <cmath>
#include <cstdlib>

namespace lathe::app {
namespace {

/// The number that `text` begins with, and what follows it; nothing if it is not finite.
std::optional<double> leading_number(const std::string& text, std::string& rest) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || !std::isfinite(value)) {
    return std::nullopt;
  }
  rest = end;
  return value;
}

}  // namespace

std::optional<Amount> parse_amount(const std::string& text) {
  std::string suffix;
  const std::optional<double> value = leading_number(text, suffix);
  if (!value || *value <= 0) {
    return std::nullopt;
  }
  if (suffix == "%") {
    return Amount{.value = *value, .percent = true};
  }
  constexpr std::pair<const char*, double> kFactors[] = {
      {"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}};
  for (const auto& [name, factor] : kFactors) {
    if (suffix == name && std::isfinite(*value * factor)) {
      return Amount{.value = *value * factor};
    }
  }
  return std::nullopt;
}

std::optional<double> parse_target_ms(const std::string& text, int batch) {
  std::string unit;
  const std::optional<double> value = leading_number(text, unit);
  if (!value || *value <= 0) {
    return std::nullopt;
  }
  if (unit == "/s") {
    return 1000.0 * batch / *value;
  }
  constexpr std::pair<const char*, double> kUnits[] = {
      {"", 1}, {"ms", 1}, {"us", 1e-3}, {"s", 1e3}};
  for (const auto& [name, ms] : kUnits) {
    if (unit == name && std::isfinite(*value * ms)) {
      return *value * ms;
    }
  }
  return std::nullopt;
}

std::optional<double> parse_quantile(const std::string& text) {
  constexpr double kMedian = 50, kHighest = 99;
  std::string rest;
  const std::optional<double> percent =
      text.starts_with('p') ? leading_number(text.substr(1), rest) : std::nullopt;
  if (!percent || !rest.empty() || *percent < kMedian || *percent > kHighest) {
    return std::nullopt;
  }
  return *percent / 100;
}

std::optional<QuantileTarget> parse_quantile_target(const std::string& text, int batch) {
  const std::size_t at = text.find('@');
  const std::optional<double> ms = parse_target_ms(text.substr(0, at), batch);
  if (!ms || at == std::string::npos) {
    return ms ? std::optional(QuantileTarget{*ms, std::nullopt}) : std::nullopt;
  }
  const std::optional<double> quantile = parse_quantile(text.substr(at + 1));
  return quantile ? std::optional(QuantileTarget{*ms, quantile}) : std::nullopt;
}

std::string quantile_target(const std::string& text) {
  return parse_quantile_target(text, 1)
             ? std::string()
             : "must be a number > 0 of ms such as 0.5, 0.5ms, 20us or 0.1s, or images a second "
               "such as 200/s, with @p50 to @p99 if it is not the median's, got \"" +
                   text + "\"";
}

std::string quantile_name(const std::string& text) {
  return parse_quantile(text) ? std::string() : "must be p50 to p99, got \"" + text + "\"";
}

std::string target(const std::string& text) {
  return parse_target_ms(text, 1) ? std::string()
                                  : "must be a number > 0 of ms such as 0.5, 0.5ms, 20us or 0.1s, "
                                    "or images a second such as 200/s, got \"" +
                                        text + "\"";
}

std::string amount(const std::string& text) {
  return parse_amount(text) ? std::string()
                            : "must be a number > 0 such as 300000, 300k, 1.5M or 2G, or a share "
                              "of the largest net such as 50%, got \"" +
                                  text + "\"";
}

std::string positive(const std::string& text) {
  std::string rest;
  const std::optional<double> value = leading_number(text, rest);
  return value && *value > 0 && rest.empty() ? std::string()
                                             : "must be a number > 0, got \"" + text + "\"";
}

std::string fraction(const std::string& text) {
  std::string rest;
  const std::optional<double> value = leading_number(text, rest);
  return value && *value >= 0 && *value <= 1 && rest.empty()
             ? std::string()
             : "must be a number from 0 to 1, got \"" + text + "\"";
}

std::string to_seconds(std::string& text) {
  std::string unit;
  const std::optional<double> value = leading_number(text, unit);
  constexpr std::pair<const char*, double> kUnits[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}};
  for (const auto& [name, seconds] : kUnits) {
    if (value && *value > 0 && unit == name) {
      text = std::to_string(*value * seconds);
      return {};
    }
  }
  return "must be a time such as 90s, 10m or 2h, got \"" + text + "\"";
}

}  // namespace lathe::app
