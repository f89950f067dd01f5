// The binary files of CIFAR-10 and CIFAR-100.
#pragma once

#include <filesystem>
#include <span>

#include "lathe/data/memory_source.h"

namespace lathe::data {

enum class CifarKind { kCifar10, kCifar100 };

/// Reads files of records: the label (CIFAR-100: the coarse, then the fine one, which is taken),
/// then the 32x32 red, green and blue values. Any number of records a file, up to 4 GiB in all;
/// memory grows with what the files really hold.
/// @throws Error naming the file, what was expected and what was found: missing, not a whole number
/// of records, a label out of range.
ImageArray read_cifar(std::span<const std::filesystem::path> files, CifarKind kind);

}  // namespace lathe::data
