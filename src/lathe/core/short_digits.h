// A few digits that tell names apart.
#pragma once

#include <cstdint>
#include <string>

namespace lathe {

/// 8 hexadecimal digits of a 64-bit hash, its halves folded into each other.
inline std::string short_digits(std::uint64_t hash) {
  constexpr int kDigits = 8, kBits = 4;
  auto folded = static_cast<std::uint32_t>(hash ^ (hash >> 32U));
  std::string digits(kDigits, '0');
  for (int i = kDigits; i-- > 0; folded >>= kBits) {
    digits[static_cast<std::size_t>(i)] = "0123456789abcdef"[folded & 0xfU];
  }
  return digits;
}

}  // namespace lathe
