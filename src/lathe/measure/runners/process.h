// Running another program under a time limit.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lathe::measure {

struct ProcessResult {
  bool timed_out = false;
  int exit_code = 0;  ///< 128 + the signal's number for a program that a signal ended
  std::string out;
  std::string err;
  double wall_ms = 0;
};

/// Runs `/bin/sh -c '<command> "$@"' sh <arguments>` with `input` as its standard input, in a
/// process group of its own that ends with this process at the latest. What it prints beyond 64 MiB
/// ends it, as does the time limit. `folder` is for temporary files; it must exist.
/// @throws Error if no process can be started or a file in `folder` can't be written.
ProcessResult run_process(const std::string& command, const std::vector<std::string>& arguments,
                          const std::string& input, double timeout_s,
                          const std::filesystem::path& folder);

/// The last line of `text` that is not empty.
std::string last_line(const std::string& text);

}  // namespace lathe::measure
