// All targets at once by exchanges and dynamic programming: the default search where latency is a
// sum over slots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/search/all_targets/archive.h"
#include "lathe/search/problem.h"

namespace lathe::search {

struct ExchangeOptions {
  int ranked = 20;  ///< nets kept for each latency limit, from which the search goes on
  int bins = 512;   ///< of BudgetProgram: latency resolution
};

/// Each step() takes a good net that it has not looked at closely, predicts the accuracy of all its
/// neighbours at one exchange (a block's kernel and expansion, a depth, the resolution), and with
/// those gains lets a dynamic program compose the best net for every latency limit at once: near
/// the net, farther, and far away with gains averaged over the nets so far. What the program
/// proposes is predicted and becomes the next step's choice. Every net that was predicted is in
/// one archive and serves all targets. Where the predictor has choice_effects(), they choose which
/// neighbours are worth predicting, and start the search.
///
/// Deterministic: the same seed gives the same archive in the same order. The problem must outlive
/// it. Not thread-safe.
class ExchangeSearch {
 public:
  /// `targets_ms`: ascending, distinct, none below problem.fastest(). Targets are the limits of the
  /// archive, beside a few more between them.
  /// @throws std::invalid_argument if there is no target or they are not such, an option is out of
  /// range, or the problem has no chain().
  ExchangeSearch(const Problem& problem, std::vector<double> targets_ms,
                 const ExchangeOptions& options, Rng rng);
  ~ExchangeSearch();
  ExchangeSearch(ExchangeSearch&&) noexcept;

  /// Predicts at most `max_evaluations` nets more. False if none was new: the space has nothing
  /// more to offer.
  bool step(std::int64_t max_evaluations);

  /// Everything that was predicted, in order.
  const Archive& archive() const;
  /// Indices into archive().all() of the best nets within target `t`, best first.
  std::span<const std::size_t> ranking(std::size_t t) const;
  /// How net `index` of the archive was found, for people.
  std::string provenance(std::size_t index) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lathe::search
