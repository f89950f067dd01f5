#include "lathe/data/files/cifar.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

#include "lathe/core/error.h"
#include "lathe/core/file.h"

namespace lathe::data {
namespace {

constexpr int kSide = 32;
constexpr int kChannels = 3;
constexpr std::size_t kPlane = std::size_t{kSide} * kSide;
constexpr std::uintmax_t kMostBytes = std::uintmax_t{1} << 32;

std::vector<std::string> names_of(CifarKind kind) {
  if (kind == CifarKind::kCifar100) return {};
  return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
}

/// The size of a regular file. @throws Error if it is none, or too large with `before` bytes.
std::uintmax_t size_bytes(const std::filesystem::path& path, std::uintmax_t before) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw Error(path.string() + ": expected a file of CIFAR records, got " +
                (std::filesystem::exists(path, error) ? "something else" : "no such file"));
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw Error(path.string() + ": cannot read: " + error.message());
  if (size > kMostBytes - before) {
    throw Error(path.string() + ": expected at most " + std::to_string(kMostBytes) +
                " bytes in all files, got more");
  }
  return size;
}

void append_record(std::string_view record, std::size_t label_bytes, ImageArray& images) {
  const std::string_view planes = record.substr(label_bytes);
  for (std::size_t i = 0; i < kPlane; ++i) {
    for (std::size_t c = 0; c < kChannels; ++c) {
      images.pixels.push_back(static_cast<std::uint8_t>(planes[c * kPlane + i]));
    }
  }
  images.labels.push_back(static_cast<std::uint8_t>(record[label_bytes - 1]));
}

}  // namespace

ImageArray read_cifar(std::span<const std::filesystem::path> files, CifarKind kind) {
  const std::size_t label_bytes = kind == CifarKind::kCifar10 ? 1 : 2;
  const std::size_t record_bytes = label_bytes + kChannels * kPlane;
  ImageArray images{.channels = kChannels,
                    .height = kSide,
                    .width = kSide,
                    .num_classes = kind == CifarKind::kCifar10 ? 10 : 100,
                    .class_names = names_of(kind)};
  std::uintmax_t total_bytes = 0;
  for (const std::filesystem::path& path : files) {
    total_bytes += size_bytes(path, total_bytes);
    const std::string bytes = read_file(path);
    if (bytes.empty() || bytes.size() % record_bytes != 0) {
      throw Error(path.string() + ": expected whole records of " + std::to_string(record_bytes) +
                  " bytes, got " + std::to_string(bytes.size()) + " bytes");
    }
    images.pixels.reserve(images.pixels.size() + bytes.size());
    for (std::size_t at = 0; at < bytes.size(); at += record_bytes) {
      append_record(std::string_view(bytes).substr(at, record_bytes), label_bytes, images);
      if (images.labels.back() >= images.num_classes) {
        throw Error(path.string() + ": expected labels in [0, " +
                    std::to_string(images.num_classes - 1) + "], got " +
                    std::to_string(images.labels.back()) + " in record " +
                    std::to_string(at / record_bytes));
      }
    }
  }
  return images;
}

}  // namespace lathe::data
