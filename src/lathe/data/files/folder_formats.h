// Which files a folder of images holds, and how they are read.
#pragma once

#include <filesystem>

#include "lathe/data/dataset.h"
#include "lathe/data/memory_source.h"

namespace lathe::data {

/// The files `<prefix>-images-idx3-ubyte` and `<prefix>-labels-idx1-ubyte`, compressed or plain.
/// @throws Error if one is missing or bad, or they don't go together.
ImageArray read_idx_pair(const std::filesystem::path& folder, const std::string& prefix,
                         int num_classes);

/// The files of Fashion-MNIST, CIFAR-10 or CIFAR-100, by their names. @throws Error.
Splits read_fashion_mnist(const std::filesystem::path& folder);
Splits read_cifar10(const std::filesystem::path& folder);
Splits read_cifar100(const std::filesystem::path& folder);

/// A folder whose files say what it is. `photographs` becomes whether it is a folder of images;
/// those are read at `image_size`, which is chosen if it is 0.
/// @throws Error if it is none, or a file is bad.
struct FoundFormat {
  Splits splits;
  bool photographs = false;
  std::int64_t enlarged = 0;
};
FoundFormat read_folder(const std::filesystem::path& folder, int image_size, bool strict);

}  // namespace lathe::data
