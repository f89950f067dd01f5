// Cross-validation that never splits what belongs together: the same net measured twice, or under
// two names, would be learned in one fold and asked for in another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace lathe::regress {

/// A division of samples 0, 1, ... into those that a model is fitted to and those it is asked for.
struct Fold {
  std::vector<std::size_t> train;  ///< ascending
  std::vector<std::size_t> test;   ///< ascending; the rest of them
};

/// How many different groups there are.
std::size_t num_groups(std::span<const std::size_t> groups);

/// `folds` divisions such that each sample is tested in one of them, together with all others of
/// its group. `groups[i]` is the group of sample i, any numbers: only which are equal matters.
/// The groups are dealt in an order drawn from `seed`, large ones first, each to the smallest test
/// set so far: their sizes differ by no more than the largest group has. O(n log n).
/// @throws std::invalid_argument if `folds` is less than 2 or there are fewer groups.
std::vector<Fold> grouped_folds(std::span<const std::size_t> groups, int folds,
                                std::uint64_t seed = 0);

/// What models that never saw a sample's group say of it, for every sample. `fit(train)`, called
/// once for each fold with the samples to fit to, gives a model: `model(i)` is its prediction for
/// sample i, a number or several. `folds`: as of grouped_folds().
template <typename Fit>
auto out_of_fold(std::span<const Fold> folds, Fit fit) {
  using Model = std::invoke_result_t<Fit, std::span<const std::size_t>>;
  std::size_t samples = 0;
  for (const Fold& fold : folds) {
    samples += fold.test.size();
  }
  std::vector<std::invoke_result_t<const Model, std::size_t>> predicted(samples);
  for (const Fold& fold : folds) {
    const Model model = fit(std::span<const std::size_t>(fold.train));
    for (const std::size_t i : fold.test) {
      predicted[i] = model(i);
    }
  }
  return predicted;
}

/// The values at `indices`, such as a fold's training samples.
template <typename Values>
auto at_indices(const Values& values, std::span<const std::size_t> indices) {
  std::vector<typename Values::value_type> chosen;
  chosen.reserve(indices.size());
  for (const std::size_t i : indices) {
    chosen.push_back(values[i]);
  }
  return chosen;
}

}  // namespace lathe::regress
