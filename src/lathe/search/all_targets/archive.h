// Everything that a search has evaluated, ranked for each latency limit.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "lathe/search/candidate.h"

namespace lathe::search {

/// Each net is kept once, and is offered to every limit that it fits: what was found for one target
/// serves its neighbours.
class Archive {
 public:
  /// `limits_ms`: strictly ascending; one ranking of at most `capacity` nets for each.
  /// @throws std::invalid_argument if there is no limit, they don't ascend, or capacity is 0.
  Archive(std::vector<double> limits_ms, std::size_t capacity);

  bool contains(const space::Arch& arch) const { return known_.contains(arch); }
  /// Index into all(); nothing if the net is not known.
  std::optional<std::size_t> find(const space::Arch& arch) const {
    const auto found = known_.find(arch);
    return found == known_.end() ? std::nullopt : std::optional(found->second);
  }

  /// Adds a net that is not yet known; returns whether it was added. O(limits * capacity) at worst,
  /// O(limits) for a net that enters no ranking.
  /// @throws std::invalid_argument if latency or accuracy is not finite.
  bool add(Candidate candidate);

  /// Indices into all() of the best nets within limit `t`, best first.
  std::span<const std::size_t> ranking(std::size_t t) const { return rankings_.at(t); }

  /// In the order in which they were added.
  const std::vector<Candidate>& all() const { return all_; }
  const Candidate& operator[](std::size_t index) const { return all_.at(index); }
  const std::vector<double>& limits_ms() const { return limits_ms_; }

 private:
  std::vector<double> limits_ms_;
  std::size_t capacity_;
  std::vector<Candidate> all_;
  std::vector<std::vector<std::size_t>> rankings_;
  std::unordered_map<space::Arch, std::size_t> known_;
};

}  // namespace lathe::search
