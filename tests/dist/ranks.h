// Starts the processes of a job, as a launcher does.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/file.h"
#include "lathe/dist/launch.h"

namespace lathe::testing {

using Variables = std::map<std::string, std::string>;

/// A port of this machine that nothing listens on, at the moment.
inline int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* general = reinterpret_cast<sockaddr*>(&address);
  const bool ok = ::bind(fd, general, size) == 0 && ::getsockname(fd, general, &size) == 0;
  ::close(fd);
  EXPECT_TRUE(ok);
  return ntohs(address.sin_port);
}

/// What torchrun sets for one rank of a job on this machine.
inline Variables rank_variables(int rank, int world_size, int port) {
  return {{"RANK", std::to_string(rank)},
          {"LOCAL_RANK", std::to_string(rank)},
          {"WORLD_SIZE", std::to_string(world_size)},
          {"MASTER_ADDR", "127.0.0.1"},
          {"MASTER_PORT", std::to_string(port)}};
}

/// The last line of what a process printed: its own, after what LibTorch may log.
inline std::string last_line(const std::string& text) {
  const std::string lines = text.substr(0, text.find_last_not_of('\n') + 1);
  return lines.substr(lines.rfind('\n') + 1);
}

/// One process; what is left of it is killed at the end.
class Process {
 public:
  struct Result {
    bool ended = false;  ///< before the deadline
    int exit_code = -1;  ///< 128 + the signal's number for one that a signal ended
    std::string err;     ///< what it printed on standard error
  };

  /// `words[0]` is the program's path. Launchers' variables of this process are not inherited.
  Process(std::vector<std::string> words, const Variables& variables) {
    std::vector<std::string> environment;
    for (char** entry = ::environ; *entry != nullptr; ++entry) {
      const std::string_view text(*entry);
      bool launchers = false;
      for (const char* name : dist::launch_variables()) {
        launchers |= text.starts_with(std::string(name) + "=");
      }
      if (!launchers) environment.emplace_back(text);
    }
    for (const auto& [name, value] : variables) {
      environment.push_back(name + "=" + value);
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 1, out().c_str(), O_WRONLY | O_CREAT, 0600);
    ::posix_spawn_file_actions_addopen(&actions, 2, err().c_str(), O_WRONLY | O_CREAT, 0600);
    if (::posix_spawn(&pid_, words[0].c_str(), &actions, nullptr, pointers(words).data(),
                      pointers(environment).data()) != 0) {
      ADD_FAILURE() << "cannot start " << words[0];
      pid_ = -1;
    }
    ::posix_spawn_file_actions_destroy(&actions);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    kill(SIGKILL);
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  }

  void kill(int signal) const {
    if (pid_ > 0) ::kill(pid_, signal);
  }

  Result wait(double limit_s = 120) {
    Result result;
    int status = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(limit_s);
    while (pid_ > 0 && std::chrono::steady_clock::now() < deadline) {
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        result.ended = true;
        result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    }
    if (std::filesystem::exists(err())) result.err = read_file(err());
    return result;
  }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> result;
    for (std::string& word : words) {
      result.push_back(word.data());
    }
    result.push_back(nullptr);
    return result;
  }
  std::string out() const { return folder_ / "out"; }
  std::string err() const { return folder_ / "err"; }

  TemporaryFolder folder_;
  pid_t pid_ = -1;
};

}  // namespace lathe::testing
