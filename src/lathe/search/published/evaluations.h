// What has been predicted so far, so that no net is predicted twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "lathe/search/candidate.h"
#include "lathe/search/problem.h"
#include "lathe/search/repair.h"

namespace lathe::search {

/// Grows with the search; nets are known by their canonical arch.
class Evaluations {
 public:
  /// `problem` must outlive it.
  explicit Evaluations(const Problem& problem) : problem_(&problem) {}

  /// Predicts the nets that aren't known yet, in one batch, as long as no more than `most` are new.
  /// Returns the position of each net in all(), or kNotEvaluated for a net that was left out.
  std::vector<std::size_t> evaluate(std::span<const TimedArch> nets, std::int64_t most);
  static constexpr std::size_t kNotEvaluated = static_cast<std::size_t>(-1);

  /// Starts anew, for a search that must not profit from the one before: positions so far are void,
  /// all() is empty. What was predicted still counts, and is part of the front.
  void forget();

  /// Predictions so far, forgotten ones included.
  std::int64_t count() const { return forgotten_ + static_cast<std::int64_t>(all_.size()); }
  /// In the order in which they were predicted.
  const std::vector<Candidate>& all() const { return all_; }
  /// pareto_front() of everything predicted, forgotten or not. O(n log n).
  std::vector<Candidate> front() const;

 private:
  const Problem* problem_;
  std::int64_t forgotten_ = 0;
  std::vector<Candidate> front_;  // of what was forgotten
  std::vector<Candidate> all_;
  std::unordered_map<space::Arch, std::size_t> position_;
};

}  // namespace lathe::search
