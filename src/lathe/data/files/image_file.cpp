#include "lathe/data/files/image_file.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <span>
#include <stdexcept>
#include <system_error>

namespace lathe::data {
namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 27;
constexpr std::int64_t kMostFileBytes = std::int64_t{1} << 28;
constexpr std::array<std::uint8_t, 8> kPngSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// A file whose errors name it.
class Input {
 public:
  explicit Input(const std::filesystem::path& path) : path_(path.string()) {
    errno = 0;
    file_.reset(std::fopen(path.c_str(), "rb"));
    std::error_code error;
    if (!file_ || std::filesystem::is_directory(path, error)) {
      throw Error(path_ + ": cannot read: " +
                  std::generic_category().message(file_ ? EISDIR : (errno ? errno : ENOENT)));
    }
  }
  [[noreturn]] void fail(const std::string& text) const {
    throw UnreadableImage(path_ + ": " + text);
  }

  void read(std::span<std::uint8_t> bytes) {
    if (std::fread(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) fail_cut();
  }
  void skip(long count) {
    if (std::fseek(file_.get(), count, SEEK_CUR) != 0) fail_cut();
  }
  [[noreturn]] void fail_cut() const { fail("cut short: expected more of an image's header"); }

  /// The whole file.
  std::vector<std::uint8_t> read_all() {
    std::vector<std::uint8_t> bytes;
    std::array<std::uint8_t, 1 << 16> chunk;
    std::rewind(file_.get());
    for (std::size_t got; (got = std::fread(chunk.data(), 1, chunk.size(), file_.get())) > 0;) {
      bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(got));
      if (static_cast<std::int64_t>(bytes.size()) > kMostFileBytes) {
        fail("expected at most " + std::to_string(kMostFileBytes) + " bytes, got more");
      }
    }
    return bytes;
  }

 private:
  std::string path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
};

int big_endian16(const std::uint8_t* bytes) { return bytes[0] << 8 | bytes[1]; }

std::uint32_t big_endian32(const std::uint8_t* bytes) {
  return static_cast<std::uint32_t>(big_endian16(bytes)) << 16 |
         static_cast<std::uint32_t>(big_endian16(bytes + 2));
}

/// The markers that begin a frame, which says the size: all of 0xc0 to 0xcf but three.
bool begins_frame(int marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/// After the first two bytes.
ImageSize read_jpeg_size(Input& input) {
  // A valid file has few segments before its frame; a hostile one may have any number.
  for (int segment = 0; segment < 10000; ++segment) {
    std::array<std::uint8_t, 2> marker;
    input.read(marker);
    for (int fill = 0; marker[1] == 0xff && fill < 100; ++fill) {
      input.read(std::span(marker).subspan(1));
    }
    if (marker[0] != 0xff) input.fail("damaged JPEG: expected a marker in the header");
    std::array<std::uint8_t, 2> length;
    input.read(length);
    if (big_endian16(length.data()) < 2) input.fail("damaged JPEG: a segment without length");
    if (begins_frame(marker[1])) {
      std::array<std::uint8_t, 5> frame;
      input.read(frame);
      return {big_endian16(frame.data() + 1), big_endian16(frame.data() + 3)};
    }
    if (marker[1] == 0xda || marker[1] == 0xd9) break;
    input.skip(big_endian16(length.data()) - 2);
  }
  input.fail("damaged JPEG: expected a frame before the pixels");
}

ImageSize read_png_size(Input& input) {
  std::array<std::uint8_t, 16> chunk;
  input.read(chunk);
  if (std::memcmp(chunk.data() + 4, "IHDR", 4) != 0) {
    input.fail("damaged PNG: expected the chunk IHDR first");
  }
  const std::uint32_t width = big_endian32(chunk.data() + 8);
  const std::uint32_t height = big_endian32(chunk.data() + 12);
  if (std::max(width, height) > 65535) {
    input.fail("expected sides of at most 65535 pixels, got " + std::to_string(height) + "x" +
               std::to_string(width));
  }
  return {static_cast<int>(height), static_cast<int>(width)};
}

ImageHeader read_header(Input& input) {
  std::array<std::uint8_t, 8> start{};
  input.read(std::span(start).first(2));
  ImageHeader header;
  if (start[0] == 0xff && start[1] == 0xd8) {
    header.size = read_jpeg_size(input);
  } else {
    header.format = ImageHeader::Format::kPng;
    if (start[0] == kPngSignature[0]) input.read(std::span(start).subspan(2));
    if (start != kPngSignature) input.fail("expected a JPEG or PNG image, got another file");
    header.size = read_png_size(input);
  }
  const std::int64_t pixels = std::int64_t{header.size.height} * header.size.width;
  if (pixels < 1 || pixels > kMostPixels) {
    input.fail("expected 1 to " + std::to_string(kMostPixels) + " pixels, got " +
               std::to_string(header.size.height) + "x" + std::to_string(header.size.width));
  }
  return header;
}

/// Whether the marker that ends a JPEG image is there: decoders fill what is missing with grey and
/// say nothing. It must lie behind the header, where a thumbnail has one of its own.
bool jpeg_ends(std::span<const std::uint8_t> bytes) {
  std::size_t scan = 2;
  while (scan + 4 <= bytes.size() && bytes[scan] == 0xff && bytes[scan + 1] != 0xda) {
    scan += bytes[scan + 1] == 0xff
                ? 1
                : 2 + static_cast<std::size_t>(big_endian16(bytes.data() + scan + 2));
  }
  for (std::size_t at = bytes.size(); at >= scan + 4; --at) {
    if (bytes[at - 2] == 0xff && bytes[at - 1] == 0xd9) return true;
  }
  return false;
}

/// Whether all chunks of a PNG image are there, to the last, each with its checksum.
bool png_is_whole(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kAround = 12;  // length, name and checksum
  std::size_t at = kPngSignature.size();
  while (bytes.size() - at >= kAround) {
    const std::size_t length = big_endian32(bytes.data() + at);
    if (length > bytes.size() - at - kAround) return false;
    const std::uint8_t* name = bytes.data() + at + 4;
    const uLong checksum = crc32_z(0, name, length + 4);
    if (checksum != big_endian32(name + 4 + length)) return false;
    if (std::memcmp(name, "IEND", 4) == 0) return true;
    at += kAround + length;
  }
  return false;
}

int decode_flag(const ImageHeader& header, int shrink) {
  if (header.format == ImageHeader::Format::kPng) return cv::IMREAD_COLOR;
  switch (shrink) {
    case 1:
      return cv::IMREAD_COLOR;
    case 2:
      return cv::IMREAD_REDUCED_COLOR_2;
    case 4:
      return cv::IMREAD_REDUCED_COLOR_4;
    case 8:
      return cv::IMREAD_REDUCED_COLOR_8;
    default:
      throw std::invalid_argument("[data::read_image] shrink must be 1, 2, 4 or 8, got " +
                                  std::to_string(shrink));
  }
}

RgbImage to_rgb(const cv::Mat& bgr) {
  RgbImage image{.size = {bgr.rows, bgr.cols}, .pixels = {}};
  image.pixels.resize(static_cast<std::size_t>(bgr.rows) * static_cast<std::size_t>(bgr.cols) * 3);
  std::uint8_t* out = image.pixels.data();
  for (int y = 0; y < bgr.rows; ++y) {
    const std::uint8_t* row = bgr.ptr<std::uint8_t>(y);
    for (int x = 0; x < bgr.cols; ++x, row += 3, out += 3) {
      out[0] = row[2];
      out[1] = row[1];
      out[2] = row[0];
    }
  }
  return image;
}

}  // namespace

ImageHeader read_image_header(const std::filesystem::path& path) {
  Input input(path);
  return read_header(input);
}

RgbImage read_image(const std::filesystem::path& path, const ImageHeader& header, int shrink) {
  const int flag = decode_flag(header, shrink);
  Input input(path);
  const ImageHeader now = read_header(input);
  if (now.format != header.format || now.size != header.size) {
    input.fail("has changed since the data set was opened");
  }
  const std::vector<std::uint8_t> bytes = input.read_all();
  if (header.format == ImageHeader::Format::kJpeg ? !jpeg_ends(bytes) : !png_is_whole(bytes)) {
    input.fail("cut short or damaged: expected a whole image");
  }
  cv::Mat bgr;
  try {
    bgr = cv::imdecode(bytes, flag);
  } catch (const cv::Exception&) {
    bgr.release();
  }
  if (bgr.empty() || bgr.type() != CV_8UC3) input.fail("damaged: its pixels can't be decoded");
  const int divisor = header.format == ImageHeader::Format::kPng ? 1 : shrink;
  const int height = (header.size.height + divisor - 1) / divisor;
  const int width = (header.size.width + divisor - 1) / divisor;
  const bool upright = bgr.rows == height && bgr.cols == width;
  const bool turned = bgr.rows == width && bgr.cols == height;
  if (!upright && !turned) input.fail("damaged: its pixels are not as many as its header says");
  return to_rgb(bgr);
}

}  // namespace lathe::data
