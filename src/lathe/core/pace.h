// How long a stage will yet take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lathe {

/// Estimates the time left of a stage from its own pace. Stages change their pace (training with
/// more nets a step, larger nets to measure): the later half of the time so far tells what comes.
class Pace {
 public:
  /// The seconds until `done` is `total`, told at `now_s`. Nothing while there is too little to
  /// go by: less than kLeastSeconds, or no unit finished in the later half of them.
  /// Another `total`, or less done than before, is another stage. O(log calls).
  std::optional<double> seconds_left(std::int64_t done, std::int64_t total, double now_s);

  static constexpr double kLeastSeconds = 3.0;

 private:
  struct Point {
    double seconds;
    std::int64_t done;
  };
  std::int64_t total_ = 0;
  std::vector<Point> points_;  // ascending; the first is the stage's first report
};

/// `0:07`, `4:10`, `1:02:03`: hours only where there are any. Rounded up to whole seconds.
std::string clock_text(double seconds);

}  // namespace lathe
