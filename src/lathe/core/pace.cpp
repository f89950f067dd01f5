#include "lathe/core/pace.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace lathe {
namespace {

constexpr double kPointEvery = 0.25;  // seconds; keeps few of many reports

}  // namespace

std::optional<double> Pace::seconds_left(std::int64_t done, std::int64_t total, double now_s) {
  if (total != total_ || points_.empty() || done < points_.back().done) {
    total_ = total;
    points_.assign(1, {now_s, done});
    return std::nullopt;
  }
  const double begun = points_.front().seconds;
  if (now_s - points_.back().seconds >= kPointEvery) {
    points_.push_back({now_s, done});
  }
  if (now_s - begun < kLeastSeconds) {
    return std::nullopt;
  }
  // The last report of the first half: there is one, the first.
  const double middle = (begun + now_s) / 2;
  const auto later =
      std::ranges::upper_bound(points_, middle, std::ranges::less(), &Point::seconds);
  const Point& from = *(later - 1);
  if (done <= from.done) {
    return std::nullopt;
  }
  return (now_s - from.seconds) * static_cast<double>(total - done) /
         static_cast<double>(done - from.done);
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(std::clamp(seconds, 0.0, 1e15)));
  const auto part = [](const char* format, std::int64_t value) {
    char text[32];
    std::snprintf(text, sizeof(text), format, static_cast<long long>(value));
    return std::string(text);
  };
  const std::string rest = ":" + part("%02lld", whole % 60);
  return whole < 3600 ? part("%lld", whole / 60) + rest
                      : part("%lld:", whole / 3600) + part("%02lld", whole / 60 % 60) + rest;
}

}  // namespace lathe
