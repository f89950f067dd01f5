#include "lathe/measure/runners/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/measure/timing.h"

namespace lathe::measure {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::uintmax_t kMostOutput = std::uintmax_t{64} << 20;
constexpr std::chrono::microseconds kPollOutputEvery{500};

/// Between fork() and exec(): system calls only.
[[noreturn]] void become(char* const* argv, const char* in, const char* out, const char* err) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int in_fd = ::open(in, O_RDONLY);
  const int out_fd = ::open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err_fd = ::open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (in_fd < 0 || out_fd < 0 || err_fd < 0 || ::dup2(in_fd, 0) < 0 || ::dup2(out_fd, 1) < 0 ||
      ::dup2(err_fd, 2) < 0) {
    ::_exit(126);
  }
  ::execv("/bin/sh", argv);
  ::_exit(127);
}

bool prints_too_much(const fs::path& out, const fs::path& err) {
  std::error_code ignored;
  for (const fs::path& path : {out, err}) {
    const std::uintmax_t size = fs::file_size(path, ignored);
    if (!ignored && size > kMostOutput) return true;
  }
  return false;
}

std::string read_if_there(const fs::path& path) {
  return fs::exists(path) ? read_file(path) : std::string();
}

}  // namespace

ProcessResult run_process(const std::string& command, const std::vector<std::string>& arguments,
                          const std::string& input, double timeout_s, const fs::path& folder) {
  const std::string in = folder / "request.json";
  const std::string out = folder / "stdout";
  const std::string err = folder / "stderr";
  write_file_atomic(in, input);
  std::vector<std::string> words{"sh", "-c", command + " \"$@\"", "sh"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);

  ProcessResult result;
  const Clock::time_point start = Clock::now();
  const pid_t pid = ::fork();
  if (pid < 0) {
    throw Error("cannot start `" + command + "`: " + std::generic_category().message(errno));
  }
  if (pid == 0) {
    become(argv.data(), in.c_str(), out.c_str(), err.c_str());
  }
  ::setpgid(pid, pid);  // in either order with the child's own call
  int status = 0;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    result.timed_out = since_ms(start) > 1e3 * timeout_s;
    if (result.timed_out || prints_too_much(out, err)) {
      ::kill(-pid, SIGKILL);
      ::waitpid(pid, &status, 0);
      break;
    }
    std::this_thread::sleep_for(kPollOutputEvery);
  }
  result.wall_ms = since_ms(start);
  ::kill(-pid, SIGKILL);  // what it may have left behind
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = read_if_there(out).substr(0, kMostOutput);
  result.err = read_if_there(err).substr(0, kMostOutput);
  return result;
}

std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \n\r\t");
  if (end == std::string::npos) return {};
  const std::size_t newline = text.rfind('\n', end);
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  return text.substr(begin, end + 1 - begin);
}

}  // namespace lathe::measure
