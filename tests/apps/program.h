// Runs the real program, as a shell does.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/file.h"

namespace lathe::testing {

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// `text` as one word of a shell's command line.
inline std::string quoted(const std::string& text) { return "'" + text + "'"; }

/// `lathe <arguments>`; `before` are shell commands that come first, such as limits.
inline Outcome run_lathe(const std::string& arguments, const std::string& before = "") {
  const TemporaryFolder temporary;
  const std::string errors = (temporary / "stderr").string();
  const std::string command =
      before + "exec " + quoted(LATHE_PROGRAM) + " " + arguments + " 2> " + quoted(errors);
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot run " << command;
    return {};
  }
  Outcome outcome;
  std::array<char, 4096> buffer{};
  for (std::size_t count; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    outcome.out.append(buffer.data(), count);
  }
  const int status = ::pclose(pipe);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome.err = read_file(errors);
  return outcome;
}

/// Starts `lathe <arguments>`, silent, and goes on: to be killed and waited for. -1 if it can't.
inline pid_t start_lathe(const std::string& arguments) {
  const std::string command =
      "exec " + quoted(LATHE_PROGRAM) + " " + arguments + " > /dev/null 2> /dev/null";
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  return pid;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// Measures so many nets into `out` in a second or two.
inline std::string quick_samples(int samples, const std::filesystem::path& out) {
  return "latency generate --space mbv3_28 --layout nchw --warmup 1 --rounds 2 --runs 2 --group 3 "
         "--samples " +
         std::to_string(samples) + " --out " + quoted(out.string());
}

/// Expects `outcome` to be a failure whose last line on standard error is "lathe: <text>", and
/// the only one unless `after_progress`.
inline void expect_failure(const Outcome& outcome, int exit_code, const std::string& text,
                           bool after_progress = false) {
  EXPECT_EQ(outcome.exit_code, exit_code);
  EXPECT_EQ(outcome.out, "");
  const std::vector<std::string> lines = lines_of(outcome.err);
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.back(), "lathe: " + text);
  if (!after_progress) {
    EXPECT_EQ(lines.size(), 1U) << outcome.err;
  }
}

}  // namespace lathe::testing
