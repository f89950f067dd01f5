// Progress for people: a bar on a terminal, plain lines elsewhere, both on standard error and with
// the time that is left of the stage.
#pragma once

#include <chrono>
#include <string>

#include "lathe/core/pace.h"
#include "lathe/core/progress.h"

namespace lathe::app {

class ProgressReporter {
 public:
  ProgressReporter();
  ~ProgressReporter();
  ProgressReporter(const ProgressReporter&) = delete;
  ProgressReporter& operator=(const ProgressReporter&) = delete;

  void operator()(const Progress& progress);

 private:
  using Clock = std::chrono::steady_clock;
  void line(const std::string& text);
  void bar(const Progress& progress, const std::string& left);

  bool terminal_;
  bool bar_shown_ = false;
  std::string stage_;
  Pace pace_;
  Clock::time_point start_;
  Clock::time_point last_;
};

}  // namespace lathe::app
