// CIFAR's binary files made by the tests, from the format's description.
#pragma once

#include <string>

namespace lathe::testing {

/// The label bytes, then three planes of 32x32 that differ with `number`.
inline std::string cifar_record(const std::string& labels, int number) {
  std::string record = labels;
  for (int i = 0; i < 3072; ++i)
    record += static_cast<char>((i * 7 + i / 1024 * 50 + number * 31) % 251);
  return record;
}

}  // namespace lathe::testing
