// A file in memory whose content is whatever the fuzzer came up with.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>

#include "lathe/core/error.h"

namespace lathe::testing {

class HostileFile {
 public:
  explicit HostileFile(std::span<const std::uint8_t> bytes) : fd_(::memfd_create("hostile", 0)) {
    if (fd_ < 0 || ::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      std::abort();
    }
  }
  HostileFile(const std::uint8_t* bytes, std::size_t size) : HostileFile(std::span(bytes, size)) {}
  explicit HostileFile(const std::string& bytes)
      : HostileFile(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) {}
  ~HostileFile() { ::close(fd_); }
  HostileFile(const HostileFile&) = delete;
  HostileFile& operator=(const HostileFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

/// Runs `load`: it may succeed, or throw an Error of one line of a length that can be read.
template <typename Load>
void expect_loaded_or_refused(Load load) {
  try {
    load();
  } catch (const Error& error) {
    const std::string text = error.what();
    if (text.empty() || text.size() > 2000 || text.find('\n') != std::string::npos) {
      std::abort();
    }
  }
}

}  // namespace lathe::testing
