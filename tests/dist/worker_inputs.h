// What the workers add up; the tests do so too.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

#include "lathe/core/random.h"

namespace lathe::testing {

// Below and above the size from which an array is added in parts; none that the ranks divide.
inline constexpr std::int64_t kSizes[] = {0, 1, 7, 4095, 4096, 100003};

/// Numbers of very different size, so that the order of adding shows.
inline at::Tensor input(int rank, std::int64_t size, at::ScalarType type) {
  Rng rng = Rng::derived(1, {static_cast<std::uint64_t>(rank), static_cast<std::uint64_t>(size)});
  const at::Tensor values = at::empty({size}, at::kDouble);
  for (std::int64_t i = 0; i < size; ++i) {
    const double scale = static_cast<double>(1 + rng.below(100000));
    values.data_ptr<double>()[i] = (rng.uniform() - 0.5) * scale;
  }
  return values.to(type);
}

inline std::string bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.data_ptr()),
          static_cast<std::size_t>(tensor.numel()) * tensor.element_size()};
}

}  // namespace lathe::testing
