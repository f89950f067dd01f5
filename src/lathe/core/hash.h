// A hash that is the same on every machine and in every version.
#pragma once

#include <cstdint>

namespace lathe {

/// 64-bit FNV-1a of a range of bytes. Not for hostile input: collisions are easy to make.
/// @see Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm".
template <typename Bytes>
constexpr std::uint64_t fnv1a(const Bytes& bytes) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const auto byte : bytes) {
    hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3ULL;
  }
  return hash;
}

}  // namespace lathe
