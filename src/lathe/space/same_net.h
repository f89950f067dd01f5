// Which archs are one net under several names.
#pragma once

#include <concepts>
#include <cstddef>
#include <ranges>
#include <set>
#include <span>
#include <vector>

#include "lathe/space/space.h"

namespace lathe::space {

/// The arch that stands for all of the same net: the first of Space::equivalents().
Arch representative(const Space& space, const Arch& arch);

/// Numbers nets from 0 in the order in which they come first: archs with the same number are
/// equivalents of each other. The groups of regress::grouped_folds().
std::vector<std::size_t> number_nets(const Space& space, std::span<const Arch> archs);

/// Samples of whatever kind: each has the arch that it is of.
template <typename T>
concept SamplesOfArchs = std::ranges::forward_range<T> && requires(T& samples) {
  { (*std::ranges::begin(samples)).arch } -> std::convertible_to<const Arch&>;
};

/// The same of the samples' nets.
template <SamplesOfArchs Samples>
std::vector<std::size_t> number_nets(const Space& space, const Samples& samples) {
  std::vector<Arch> archs;
  for (const auto& sample : samples) {
    archs.push_back(sample.arch);
  }
  return number_nets(space, std::span<const Arch>(archs));
}

/// Those of `samples` that are no net of `others`, under no other name either: what a model fitted
/// to `others` may be judged by.
template <SamplesOfArchs Others, SamplesOfArchs Samples>
Samples without_nets_of(const Others& others, const Space& space, Samples samples) {
  std::set<Arch> seen;
  for (const auto& other : others) {
    seen.insert(representative(space, other.arch));
  }
  std::erase_if(samples, [&](const auto& sample) {
    return seen.contains(representative(space, sample.arch));
  });
  return samples;
}

}  // namespace lathe::space
