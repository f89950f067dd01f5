#include "lathe/measure/runners/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <system_error>
#include <thread>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/measure/runners/process.h"

namespace lathe::measure {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLongestLine = std::size_t{64} << 20;
// A program whose input has ended gets so long to end by itself.
constexpr std::chrono::milliseconds kGrace{500}, kPollEvery{2};

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

/// Not inherited by other programs: its end would never be seen.
Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw Error("cannot make a pipe: " + std::generic_category().message(errno));
  }
  return {ends[0], ends[1]};
}

/// Between fork() and exec(): system calls only.
[[noreturn]] void become(const char* command, int in, int out, const char* errors) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int err = ::open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (err < 0 || ::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(err, 2) < 0) {
    ::_exit(126);
  }
  ::execl("/bin/sh", "sh", "-c", command, static_cast<char*>(nullptr));
  ::_exit(127);
}

/// While it lives, writing to a program that has ended is an error and no signal.
class NoBrokenPipe {
 public:
  NoBrokenPipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoBrokenPipe() {
    const timespec at_once{};
    if (sigismember(&before_, SIGPIPE) == 0) {
      while (::sigtimedwait(&pipe_, nullptr, &at_once) > 0) {
      }
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoBrokenPipe(const NoBrokenPipe&) = delete;
  NoBrokenPipe& operator=(const NoBrokenPipe&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

/// Waits until `fd` is ready, or for the time that is left. Whether it is.
bool wait_for(int fd, short event, Clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd what{.fd = fd, .events = event, .revents = 0};
    const int ready =
        ::poll(&what, 1, left > 0 ? static_cast<int>(std::min<long>(left, 1 << 30)) : 0);
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::milliseconds(std::llround(1000 * std::min(seconds, 1e7)));
}

}  // namespace

WorkerProcess::WorkerProcess(const std::string& command, const std::filesystem::path& folder)
    : errors_(folder / "stderr") {
  const Pipe in = make_pipe();
  const Pipe out = make_pipe();
  const std::string errors = errors_.string();
  pid_ = ::fork();
  if (pid_ == 0) {
    become(command.c_str(), in.read_end, out.write_end, errors.c_str());
  }
  const int failed = errno;
  ::close(in.read_end);
  ::close(out.write_end);
  in_ = in.write_end;
  out_ = out.read_end;
  if (pid_ < 0) {
    ::close(in_);
    ::close(out_);
    throw Error("cannot start `" + command + "`: " + std::generic_category().message(failed));
  }
  ::setpgid(pid_, pid_);  // in either order with the child's own call
  ::fcntl(in_, F_SETFL, O_NONBLOCK);
}

WorkerProcess::~WorkerProcess() { end(/*at_once=*/false); }

/// The exit status, or 128 + the signal's number; -1 if it had been ended before.
int WorkerProcess::end(bool at_once) {
  if (pid_ < 0) {
    return -1;
  }
  ::close(in_);
  ::close(out_);
  int status = 0;
  const Clock::time_point deadline =
      Clock::now() + (at_once ? std::chrono::milliseconds(0) : kGrace);
  bool ended = false;
  while (!(ended = ::waitpid(pid_, &status, WNOHANG) != 0) && Clock::now() < deadline) {
    std::this_thread::sleep_for(kPollEvery);
  }
  ::kill(-pid_, SIGKILL);  // it, or what it has left behind
  if (!ended) {
    ::waitpid(pid_, &status, 0);
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void WorkerProcess::fail(const std::string& what) {
  const int status = end(/*at_once=*/!what.empty());
  std::string text = what.empty() ? "ended with exit status " + std::to_string(status) : what;
  if (std::filesystem::exists(errors_)) {
    if (const std::string words = last_line(read_file(errors_)); !words.empty()) {
      text += "; its last words: " + words.substr(0, 200);
    }
  }
  throw Error(text);
}

void WorkerProcess::send(const std::string& line, double timeout_s) {
  if (pid_ < 0) {
    throw Error("has ended");
  }
  const std::string text = line + "\n";
  const NoBrokenPipe guard;
  const Clock::time_point deadline = after(timeout_s);
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(in_, text.data() + written, text.size() - written);
    if (count >= 0) {
      written += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      if (!wait_for(in_, POLLOUT, deadline)) fail("does not read its requests");
    } else if (errno != EINTR) {
      fail("");
    }
  }
}

std::string WorkerProcess::next_line(double timeout_s) {
  if (pid_ < 0) {
    throw Error("has ended");
  }
  const Clock::time_point deadline = after(timeout_s);
  std::array<char, 65536> buffer{};
  for (;;) {
    if (const std::size_t newline = read_.find('\n', searched_); newline != std::string::npos) {
      std::string line = read_.substr(0, newline);
      read_.erase(0, newline + 1);
      searched_ = 0;
      return line;
    }
    searched_ = read_.size();
    if (read_.size() > kLongestLine) {
      fail("prints a line without end");
    }
    if (!wait_for(out_, POLLIN, deadline)) {
      fail("no answer within " + std::to_string(static_cast<int>(timeout_s)) + " s");
    }
    const ssize_t count = ::read(out_, buffer.data(), buffer.size());
    if (count == 0) {
      fail("");
    }
    if (count > 0) {
      read_.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      fail("cannot read its answers: " + std::generic_category().message(errno));
    }
  }
}

}  // namespace lathe::measure
