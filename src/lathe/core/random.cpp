#include "lathe/core/random.h"

#include <cmath>
#include <numbers>
#include <stdexcept>

namespace lathe {
namespace {

/// The finalizer of SplitMix64 (Steele et al., 2014): a bijection that scatters near seeds.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace

Rng::Rng(std::uint64_t seed) : state_(0), increment_((mixed(~seed) << 1) | 1) {
  next();
  state_ += mixed(seed);
  next();
}

Rng Rng::derived(std::uint64_t seed, std::initializer_list<std::uint64_t> path) {
  std::uint64_t hash = mixed(seed);
  // The sum before mixing depends on the order, so {1, 2} and {2, 1} are different streams.
  for (const std::uint64_t part : path) hash = mixed(hash + 0x632BE59BD9B4E019ULL * part + 1);
  return Rng(hash);
}

std::uint32_t Rng::next() {
  const std::uint64_t old = state_;
  state_ = old * 6364136223846793005ULL + increment_;
  const auto xorshifted = static_cast<std::uint32_t>(((old >> 18) ^ old) >> 27);
  const auto rotation = static_cast<std::uint32_t>(old >> 59);
  return (xorshifted >> rotation) | (xorshifted << ((32 - rotation) & 31));
}

std::uint32_t Rng::below(std::uint32_t bound) {
  if (bound == 0) throw std::invalid_argument("[core::Rng::below] bound must be > 0, got 0");
  // Lemire's multiplication, rejecting the few values that would favour small results.
  std::uint64_t product = std::uint64_t{next()} * bound;
  auto low = static_cast<std::uint32_t>(product);
  if (low < bound) {
    const std::uint32_t threshold = (0U - bound) % bound;
    while (low < threshold) {
      product = std::uint64_t{next()} * bound;
      low = static_cast<std::uint32_t>(product);
    }
  }
  return static_cast<std::uint32_t>(product >> 32);
}

double Rng::uniform() {
  const std::uint64_t high = next();
  const std::uint64_t bits = (high << 32) | next();
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

double Rng::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));  // 1 - u is never 0
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace lathe
