// A tiny space of which every net has been evaluated: what a search must find.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "lathe/search/candidate.h"
#include "lathe/search/problem.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::testing {

template <typename Latency, typename Accuracy = SyntheticAccuracy>
struct Enumerated {
  Enumerated(int stages, std::uint64_t seed)
      : space(stages), latency(space, seed), accuracy(space, seed) {
    for (const space::Arch& arch : all_archs(space)) {
      all.push_back({.arch = arch,
                     .predicted_ms = latency.predict_ms(arch),
                     .predicted_accuracy = accuracy.predict(arch)});
    }
    std::ranges::sort(all, search::better);
  }

  /// Over the whole range, and more where nets are few.
  std::vector<double> targets() const {
    const auto [least, most] = std::ranges::minmax(all, {}, &search::Candidate::predicted_ms);
    std::vector<double> result;
    for (const double share : {0.0, 0.02, 0.1, 0.3, 0.5, 0.8, 1.0}) {
      result.push_back(least.predicted_ms + share * (most.predicted_ms - least.predicted_ms));
    }
    return result;
  }

  std::optional<search::Candidate> best_within(double limit_ms,
                                               const search::Problem& problem) const {
    for (const search::Candidate& candidate : all) {
      if (candidate.predicted_ms <= limit_ms && problem.allowed(candidate.arch)) {
        return candidate;
      }
    }
    return std::nullopt;
  }

  TinySpace space;
  Latency latency;
  Accuracy accuracy;
  std::vector<search::Candidate> all;  ///< best first
};

}  // namespace lathe::testing
