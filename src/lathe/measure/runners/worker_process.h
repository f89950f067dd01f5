// A program that is started once and answers lines with lines.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace lathe::measure {

/// `/bin/sh -c '<command>'` in a process group of its own, which ends with this object or this
/// process at the latest: its standard input is closed then, and what does not end by that is
/// killed. Its standard error goes to a file in `folder`, which must outlive it.
class WorkerProcess {
 public:
  /// @throws Error if no process can be started.
  WorkerProcess(const std::string& command, const std::filesystem::path& folder);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  /// Writes `line` and a newline. After an error the process is of no use any more.
  /// @throws Error if the program does not take it within `timeout_s`, or has ended; with its last
  /// words on standard error.
  void send(const std::string& line, double timeout_s);
  /// The next line that it prints, without its newline. @throws as send(), or if a line is longer
  /// than 64 MiB.
  std::string next_line(double timeout_s);

 private:
  [[noreturn]] void fail(const std::string& what);
  int end(bool at_once);

  std::filesystem::path errors_;
  pid_t pid_ = -1;
  int in_ = -1;               // of the program: what is written here
  int out_ = -1;              // of the program: what is read here
  std::string read_;          // and not yet given
  std::size_t searched_ = 0;  // of that, without a newline
};

}  // namespace lathe::measure
