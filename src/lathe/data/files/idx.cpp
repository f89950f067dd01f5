#include "lathe/data/files/idx.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include "lathe/core/error.h"

namespace lathe::data {
namespace {

constexpr std::uint32_t kImagesMagic = 0x00000803;  // unsigned bytes, three dimensions
constexpr std::uint32_t kLabelsMagic = 0x00000801;  // unsigned bytes, one dimension
constexpr std::uint32_t kLongestSide = 4096;
constexpr std::uint32_t kMostImages = 1U << 26;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 32;
constexpr std::uint64_t kChunkBytes = std::uint64_t{1} << 17;

struct CloseGz {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

std::string hex(std::uint32_t value) {
  std::array<char, 11> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", value);
  return text.data();
}

/// An idx file being read, plain or compressed, whose errors name it.
class Input {
 public:
  explicit Input(const std::filesystem::path& path) : path_(path.string()) {
    errno = 0;
    file_.reset(gzopen(path.c_str(), "rb"));
    if (!file_) fail("cannot read: " + std::generic_category().message(errno ? errno : ENOMEM));
    gzbuffer(file_.get(), 1 << 17);
  }

  [[noreturn]] void fail(const std::string& text) const { throw Error(path_ + ": " + text); }

  /// Up to `count` bytes; fewer only at the end of the file.
  std::uint64_t read(std::uint8_t* bytes, std::uint64_t count) {
    std::uint64_t total = 0;
    while (total < count) {
      const auto wanted = static_cast<unsigned>(std::min(count - total, kChunkBytes));
      const int got = gzread(file_.get(), bytes + total, wanted);
      if (got <= 0) {
        require_intact();
        break;
      }
      total += static_cast<std::uint64_t>(got);
    }
    return total;
  }

  std::uint32_t read_number(const char* what) {
    std::array<std::uint8_t, 4> bytes{};
    if (read(bytes.data(), bytes.size()) != bytes.size()) {
      fail("truncated: expected " + std::string(what) + ", got the end of the file");
    }
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
           std::uint32_t{bytes[2]} << 8 | bytes[3];
  }

  void require_magic(std::uint32_t expected, const char* what) {
    const std::uint32_t magic = read_number("the magic number of an idx file");
    if (magic != expected) {
      fail("expected magic " + hex(expected) + " (" + what + "), got " + hex(magic));
    }
  }

  /// Exactly `count` bytes and the end of the file. Grows as the bytes come: a header that claims
  /// more than there is costs nothing.
  std::vector<std::uint8_t> read_rest(std::uint64_t count, const std::string& what) {
    std::vector<std::uint8_t> bytes;
    while (bytes.size() < count) {
      const std::size_t old_size = bytes.size();
      const std::uint64_t wanted = std::min(count - old_size, kChunkBytes);
      bytes.resize(old_size + wanted);
      const std::uint64_t got = read(bytes.data() + old_size, wanted);
      if (got != wanted) {
        fail("truncated: expected " + what + ", got " + std::to_string(old_size + got) + " bytes");
      }
    }
    std::uint8_t next = 0;
    if (read(&next, 1) != 0)
      fail("expected the end of the file after " + what + ", got more bytes");
    return bytes;
  }

 private:
  /// At the end of what can be read: that the file ends there, rather than being cut or damaged.
  void require_intact() {
    const int system_error = errno;
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    if (code == Z_OK || code == Z_STREAM_END) return;
    if (code == Z_BUF_ERROR) fail("truncated: expected the end of the gzip data");
    if (code == Z_ERRNO) fail("cannot read: " + std::generic_category().message(system_error));
    if (code == Z_MEM_ERROR) fail("cannot read: not enough memory");
    // zlib puts the path, as it was given, before its reason.
    std::string reason = text;
    if (reason.rfind(path_ + ": ", 0) == 0) reason.erase(0, path_.size() + 2);
    fail("damaged gzip data: " + reason);
  }

  std::string path_;
  std::unique_ptr<gzFile_s, CloseGz> file_;
};

int read_side(Input& input, const char* what) {
  const std::uint32_t side = input.read_number(what);
  if (side < 1 || side > kLongestSide) {
    input.fail("expected " + std::string(what) + " in [1, " + std::to_string(kLongestSide) +
               "], got " + std::to_string(side));
  }
  return static_cast<int>(side);
}

}  // namespace

IdxImages read_idx_images(const std::filesystem::path& path) {
  Input input(path);
  input.require_magic(kImagesMagic, "idx images");
  const std::uint64_t count = input.read_number("a number of images");
  IdxImages images;
  images.count = static_cast<std::int64_t>(count);
  images.height = read_side(input, "a height");
  images.width = read_side(input, "a width");
  const std::string shape = std::to_string(count) + " images of " + std::to_string(images.height) +
                            "x" + std::to_string(images.width);
  const std::uint64_t size_bytes =
      count * static_cast<std::uint64_t>(images.height) * static_cast<std::uint64_t>(images.width);
  if (size_bytes == 0 || size_bytes > kMostBytes) {
    input.fail("expected 1 to " + std::to_string(kMostBytes) + " bytes of pixels, got " + shape);
  }
  if (count > kMostImages) {
    input.fail("expected at most " + std::to_string(kMostImages) + " images, got " + shape);
  }
  images.pixels = input.read_rest(size_bytes, std::to_string(size_bytes) + " bytes, " + shape);
  return images;
}

std::vector<int> read_idx_labels(const std::filesystem::path& path, int num_classes) {
  if (num_classes < 1 || num_classes > 256) {
    throw std::invalid_argument("[data::read_idx_labels] num_classes must be in [1, 256], got " +
                                std::to_string(num_classes));
  }
  Input input(path);
  input.require_magic(kLabelsMagic, "idx labels");
  const std::uint64_t count = input.read_number("a number of labels");
  if (count == 0 || count > kMostImages) {
    input.fail("expected 1 to " + std::to_string(kMostImages) + " labels, got " +
               std::to_string(count));
  }
  const std::vector<std::uint8_t> bytes = input.read_rest(count, std::to_string(count) + " labels");
  const auto bad = std::find_if(bytes.begin(), bytes.end(),
                                [&](std::uint8_t label) { return label >= num_classes; });
  if (bad != bytes.end()) {
    input.fail("expected labels in [0, " + std::to_string(num_classes - 1) + "], got " +
               std::to_string(*bad) + " at position " + std::to_string(bad - bytes.begin()));
  }
  return std::vector<int>(bytes.begin(), bytes.end());
}

}  // namespace lathe::data
