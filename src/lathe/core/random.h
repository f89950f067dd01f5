// Random numbers whose sequence is the same on every platform: the standard library's engines are
// portable, but its distributions are not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>

namespace lathe {

/// A PCG-XSH-RR 64/32 generator (O'Neill, 2014). Small enough to make one per step, so that a
/// resumed run needs no saved generator: `Rng::derived(seed, {stream, step})`.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  /// A generator for one purpose and moment, independent of the others with the same seed.
  static Rng derived(std::uint64_t seed, std::initializer_list<std::uint64_t> path);

  std::uint32_t next();
  /// Uniform in [0, bound), without modulo bias. @throws std::invalid_argument if bound is 0.
  std::uint32_t below(std::uint32_t bound);
  /// Uniform in [0, 1) with 53 bits.
  double uniform();
  /// Standard normal (Box-Muller).
  double normal();
  bool bernoulli(double probability) { return uniform() < probability; }

 private:
  std::uint64_t state_;
  std::uint64_t increment_;
};

/// Fisher-Yates: every order equally likely. `values` has fewer than 2^32 elements.
template <typename T>
void shuffle(std::span<T> values, Rng& rng) {
  for (std::size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[rng.below(static_cast<std::uint32_t>(i))]);
  }
}

}  // namespace lathe
