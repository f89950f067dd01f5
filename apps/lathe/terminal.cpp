#include "terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace lathe::app {
namespace {

constexpr std::chrono::milliseconds kBarEvery{100};
constexpr std::chrono::seconds kLineEvery{15};
constexpr int kBarWidth = 24;

}  // namespace

ProgressReporter::ProgressReporter()
    : terminal_(isatty(STDERR_FILENO) == 1), start_(Clock::now()), last_(start_) {}

ProgressReporter::~ProgressReporter() {
  if (bar_shown_) {
    std::fputs("\r\033[K", stderr);
  }
}

void ProgressReporter::line(const std::string& text) {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  fmt::print(stderr, "{}{:8.1f} s  {}\n", bar_shown_ ? "\r\033[K" : "", seconds, text);
  std::fflush(stderr);
  bar_shown_ = false;
}

void ProgressReporter::bar(const Progress& p, const std::string& left) {
  const int filled = static_cast<int>(kBarWidth * p.done / p.total);
  fmt::print(stderr, "\r\033[K{:<9} [{:#<{}}{:.<{}}] {:3}%  {}/{}{}  {}", p.stage, "", filled, "",
             kBarWidth - filled, 100 * p.done / p.total, p.done, p.total, left, p.message);
  std::fflush(stderr);
  bar_shown_ = true;
}

void ProgressReporter::operator()(const Progress& p) {
  if (p.total == 0) {
    line(fmt::format("{:<9} {}", p.stage, p.message));
    return;
  }
  const Clock::time_point now = Clock::now();
  const auto seconds_left =
      pace_.seconds_left(p.done, p.total, std::chrono::duration<double>(now - start_).count());
  const bool new_stage = p.stage != stage_;
  const bool due = terminal_ ? now - last_ >= kBarEvery : now - last_ >= kLineEvery;
  if (!new_stage && !due && p.done != p.total) {
    return;
  }
  stage_ = p.stage;
  last_ = now;
  const std::string left =
      seconds_left && p.done < p.total ? "  " + clock_text(*seconds_left) + " left" : "";
  if (terminal_) {
    bar(p, left);
  } else if (!new_stage || p.done == p.total) {
    line(fmt::format("{:<9} {}/{}{}  {}", p.stage, p.done, p.total, left, p.message));
  }
}

}  // namespace lathe::app
