// The idx format of MNIST and its relatives, plain or compressed by gzip.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace lathe::data {

struct IdxImages {
  std::int64_t count = 0;
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> pixels;  ///< [count, height, width], row-major
};

/// Reads a file of unsigned byte images (idx3, magic 0x00000803). The input is treated as hostile:
/// sides of at most 4096, 2^26 images and 4 GiB in all are accepted, and memory grows with what the
/// file really holds.
/// @throws Error naming the file, what was expected and what was found: missing, not readable,
/// damaged gzip, another magic, sizes out of bounds, truncated, bytes after the end.
IdxImages read_idx_images(const std::filesystem::path& path);

/// Reads a file of at most 2^26 labels (idx1, magic 0x00000801), each in [0, num_classes).
/// @throws Error as read_idx_images, and for a label out of range;
/// std::invalid_argument if num_classes is not in [1, 256].
std::vector<int> read_idx_labels(const std::filesystem::path& path, int num_classes);

}  // namespace lathe::data
