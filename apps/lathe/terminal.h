// Progress for people: a bar on a terminal, plain lines elsewhere, both on standard error.
#pragma once

#include <chrono>
#include <string>

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
  void bar(const Progress& progress);

  bool terminal_;
  bool bar_shown_ = false;
  std::string stage_;
  Clock::time_point start_;
  Clock::time_point last_;
};

}  // namespace lathe::app
