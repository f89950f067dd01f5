#include "lathe/core/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepestJson = 200;

std::string reason(int error) { return std::generic_category().message(error); }

[[noreturn]] void fail_write(const fs::path& path, int error) {
  throw Error(path.string() + ": cannot write: " + reason(error));
}

/// Owns a descriptor; close() reports what a destructor could not.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  /// 0, or the error: a network file system may report a full disk only here.
  int close() {
    const int fd = std::exchange(fd_, -1);
    return ::close(fd) == 0 || errno == EINTR ? 0 : errno;
  }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int open_file(const fs::path& path, int flags) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

/// 0 or the error.
int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return 0;
}

int sync(int fd) {
  while (::fsync(fd) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

/// Makes the rename itself last. Some file systems can't sync a folder: not a failure.
int sync_folder(const fs::path& folder) {
  Descriptor descriptor(open_file(folder, O_RDONLY | O_DIRECTORY));
  if (descriptor.get() < 0) return errno == EACCES ? 0 : errno;  // writable but not listable
  const int error = sync(descriptor.get());
  return error == EINVAL || error == ENOTSUP || error == EROFS ? 0 : error;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void make_parent_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(folder_of(path), error);
  if (error) fail_write(path, error.value());
}

int write_synced(const fs::path& path, std::string_view bytes) {
  Descriptor descriptor(open_file(path, O_WRONLY | O_CREAT | O_EXCL));
  if (descriptor.get() < 0) return errno;
  if (const int error = write_all(descriptor.get(), bytes)) return error;
  if (const int error = sync(descriptor.get())) return error;
  return descriptor.close();
}

std::string position_text(std::string_view text, std::size_t byte) {
  std::size_t line = 1, column = 1;
  for (std::size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
    column = text[i] == '\n' ? 1 : column + 1;
    line += text[i] == '\n';
  }
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

/// The length of the file up to and with its last newline.
std::uint64_t complete_size(int fd, std::uint64_t size) {
  char buffer[4096];
  while (size > 0) {
    const std::uint64_t begin = size > sizeof buffer ? size - sizeof buffer : 0;
    const ssize_t count = ::pread(fd, buffer, size - begin, static_cast<off_t>(begin));
    if (count <= 0) return size;
    const std::size_t newline =
        std::string_view(buffer, static_cast<std::size_t>(count)).rfind('\n');
    if (newline != std::string_view::npos) return begin + newline + 1;
    size = begin;
  }
  return 0;
}

/// Cuts off what follows the last newline, if the file is there.
void drop_torn_line(const fs::path& path) {
  Descriptor descriptor(open_file(path, O_RDWR));
  struct stat status {};
  if (descriptor.get() < 0 || ::fstat(descriptor.get(), &status) != 0) {
    if (errno == ENOENT) return;
    fail_write(path, errno);
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const std::uint64_t complete =
      S_ISREG(status.st_mode) ? complete_size(descriptor.get(), size) : size;
  if (complete < size && ::ftruncate(descriptor.get(), static_cast<off_t>(complete)) != 0) {
    fail_write(path, errno);
  }
}

template <typename Json>
std::string dumped(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string read_file(const fs::path& path) {
  Descriptor descriptor(open_file(path, O_RDONLY));
  struct stat status {};
  if (descriptor.get() < 0 || ::fstat(descriptor.get(), &status) != 0) {
    throw Error(path.string() + ": cannot read: " + reason(errno));
  }
  std::string bytes;
  if (S_ISREG(status.st_mode)) bytes.reserve(static_cast<std::size_t>(status.st_size));
  std::vector<char> buffer(std::size_t{1} << 16);
  for (;;) {
    const ssize_t count = ::read(descriptor.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error(path.string() + ": cannot read: " + reason(errno));
    if (count == 0) return bytes;
    bytes.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void write_file_atomic(const fs::path& path, std::string_view bytes) {
  make_parent_folders(path);
  fs::path temporary = path;
  temporary += ".tmp." + std::to_string(::getpid());
  ::unlink(temporary.c_str());  // left by a crashed process that had the same number
  int error = write_synced(temporary, bytes);
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    fail_write(path, error);
  }
  if (const int folder_error = sync_folder(folder_of(path))) fail_write(path, folder_error);
}

void append_to_file(const fs::path& path, std::string_view bytes) {
  make_parent_folders(path);
  Descriptor descriptor(open_file(path, O_RDWR | O_CREAT | O_APPEND));
  struct stat status {};
  if (descriptor.get() < 0 || ::fstat(descriptor.get(), &status) != 0) fail_write(path, errno);
  if (const int error = write_all(descriptor.get(), bytes)) {
    if (S_ISREG(status.st_mode)) {
      // As it was; where even that fails, readers find a torn end.
      (void)!::ftruncate(descriptor.get(), status.st_size);
    }
    fail_write(path, error);
  }
  if (const int error = descriptor.close()) fail_write(path, error);
}

nlohmann::json parse_json(std::string_view text, const std::string& where) {
  using nlohmann::json;
  const auto limit_depth = [&](int depth, json::parse_event_t, const json&) {
    if (depth > kDeepestJson) {
      throw Error(where + ": JSON nested deeper than " + std::to_string(kDeepestJson));
    }
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), limit_depth);
  } catch (const json::parse_error& error) {
    throw Error(where + ": not valid JSON at " + position_text(text, error.byte));
  } catch (const json::exception&) {
    throw Error(where + ": not valid JSON: a number is out of range");
  }
}

bool begins_like_json(std::string_view bytes) {
  constexpr std::size_t kLengthBytes = 8;
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && bytes[first] == '{' &&
         bytes.substr(0, kLengthBytes).find('\0') == std::string_view::npos;
}

nlohmann::json read_json(const fs::path& path) {
  return parse_json(read_file(path), path.string());
}

void write_json(const fs::path& path, const nlohmann::ordered_json& value) {
  write_file_atomic(path, dumped(value, 2) + "\n");
}

std::optional<std::string> json_difference(const nlohmann::ordered_json& a,
                                           const nlohmann::ordered_json& b) {
  for (const auto& [key, value] : a.items()) {
    const nlohmann::ordered_json other = b.value(key, nlohmann::ordered_json());
    if (value != other) {
      return key + ": " + dumped(value, -1) + " against " + dumped(other, -1);
    }
  }
  return std::nullopt;
}

std::vector<nlohmann::json> JsonLines::read() const {
  std::error_code error;
  if (!fs::exists(path_, error) && !error) return {};
  const std::string text = read_file(path_);
  std::vector<nlohmann::json> values;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string where = path_.string() + ":" + std::to_string(values.size() + 1);
    values.push_back(parse_json(std::string_view(text).substr(begin, end - begin), where));
  }
  return values;
}

void JsonLines::append(const nlohmann::ordered_json& value) {
  const bool repaired = std::exchange(repaired_, false);  // a failure may leave half a line
  if (!repaired) {
    drop_torn_line(path_);
  } else if (std::error_code error; !fs::exists(path_, error) && !error) {
    fail_write(path_, ENOENT);  // removed meanwhile: what would be made anew is half of a file
  }
  append_to_file(path_, dumped(value, -1) + "\n");
  repaired_ = true;
}

FileLock::FileLock(const fs::path& path) : path_(path) {
  std::error_code error;
  const bool folder = fs::is_directory(path, error);
  make_parent_folders(path);
  Descriptor descriptor(open_file(path, folder ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT));
  if (descriptor.get() < 0) fail_write(path, errno);
  if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    // A file system that can't lock is no reason not to write.
    if (errno == EWOULDBLOCK) {
      throw Error(path.string() +
                  ": another process is writing it; wait for that, or name another");
    }
  }
  fd_ = descriptor.release();
}

FileLock::~FileLock() {
  struct stat status {};
  if (::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0) {
    ::unlink(path_.c_str());
  }
  ::close(fd_);
}

namespace internal {

std::string json_summary(const nlohmann::json& value) {
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  const std::string text = dumped(value, -1);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

}  // namespace internal
}  // namespace lathe
