// Limits as users write them: a number, with a suffix if it is large, or a share of the largest
// net.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace lathe::app {

struct Amount {
  double value = 0.0;  ///< > 0 and finite; with `percent` a hundredth of what it is a share of
  bool percent = false;
  /// As a number, where `largest` is 100%.
  double of(double largest) const { return percent ? value / 100 * largest : value; }
};

/// "300000", "300k", "1.5M", "2G" or "50%". Nothing if `text` is none of these.
std::optional<Amount> parse_amount(const std::string& text);

/// A latency target in ms: "0.5", "0.5ms", "2us", "0.1s", or a throughput, "200/s", of which a
/// batch of so many images is to be done in time. Nothing if `text` is none of these, or not > 0.
std::optional<double> parse_target_ms(const std::string& text, int batch);

/// For CLI11: accepts what parse_target_ms() does.
std::string target(const std::string& text);

/// A target and the quantile that it is about, as "5ms@p90" says; without "@" none is said.
struct QuantileTarget {
  double ms = 0;
  std::optional<double> quantile;
};
/// Nothing if `text` is neither.
std::optional<QuantileTarget> parse_quantile_target(const std::string& text, int batch);

/// "p50" to "p99": 0.5 to 0.99. Nothing if `text` is none of these.
std::optional<double> parse_quantile(const std::string& text);

/// For CLI11: accept what parse_quantile_target() and parse_quantile() do.
std::string quantile_target(const std::string& text);
std::string quantile_name(const std::string& text);

/// For CLI11: accepts what parse_amount() does.
std::string amount(const std::string& text);

/// For CLI11: accepts finite numbers > 0.
std::string positive(const std::string& text);

/// For CLI11: accepts numbers from 0 to 1.
std::string fraction(const std::string& text);

/// For CLI11's transform(): "90s", "10m", "2h" or a number of seconds, > 0, becomes the number of
/// seconds.
std::string to_seconds(std::string& text);

}  // namespace lathe::app
