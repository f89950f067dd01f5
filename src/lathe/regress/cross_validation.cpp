#include "lathe/regress/cross_validation.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "lathe/core/random.h"

namespace lathe::regress {
namespace {

/// The samples of each group, groups in the order of their first sample.
std::vector<std::vector<std::size_t>> members(std::span<const std::size_t> groups) {
  std::map<std::size_t, std::size_t> place;
  std::vector<std::vector<std::size_t>> result;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto [found, is_new] = place.emplace(groups[i], result.size());
    if (is_new) {
      result.emplace_back();
    }
    result[found->second].push_back(i);
  }
  return result;
}

}  // namespace

std::size_t num_groups(std::span<const std::size_t> groups) {
  return std::set<std::size_t>(groups.begin(), groups.end()).size();
}

std::vector<Fold> grouped_folds(std::span<const std::size_t> groups, int folds,
                                std::uint64_t seed) {
  std::vector<std::vector<std::size_t>> dealt = members(groups);
  if (folds < 2 || dealt.size() < static_cast<std::size_t>(folds)) {
    throw std::invalid_argument(
        "[regress::grouped_folds] needs at least 2 folds and a group for each, got " +
        std::to_string(folds) + " and " + std::to_string(dealt.size()));
  }
  Rng rng(seed);
  shuffle(std::span(dealt), rng);
  std::ranges::stable_sort(dealt, std::ranges::greater(), &std::vector<std::size_t>::size);
  std::vector<Fold> result(static_cast<std::size_t>(folds));
  std::vector<std::size_t> fold_of(groups.size());
  // By samples so far, then by number: ties go to the first.
  std::set<std::pair<std::size_t, std::size_t>> sizes;
  for (std::size_t fold = 0; fold < result.size(); ++fold) {
    sizes.emplace(0, fold);
  }
  for (const std::vector<std::size_t>& group : dealt) {
    const auto [size, fold] = *sizes.begin();
    sizes.erase(sizes.begin());
    sizes.emplace(size + group.size(), fold);
    for (const std::size_t i : group) {
      fold_of[i] = fold;
    }
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (std::size_t fold = 0; fold < result.size(); ++fold) {
      (fold_of[i] == fold ? result[fold].test : result[fold].train).push_back(i);
    }
  }
  return result;
}

}  // namespace lathe::regress
