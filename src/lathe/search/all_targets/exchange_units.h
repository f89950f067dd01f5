// What a local search changes alone: the genes of a net, and their options.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lathe/space/slot_chain.h"
#include "lathe/space/space.h"

namespace lathe::search {

/// A unit is a decision that several slots see (resolution, depth, width), or those together that
/// only one slot sees and that live and die together (a block's kernel and expansion): what one
/// exchange replaces. A unit's
/// options are numbered, and (unit, option) pairs have one number for all units, so that a value
/// for each of them (a gain, an effect) is one flat array of size().
/// Immutable; the space must outlive it.
class ExchangeUnits {
 public:
  ExchangeUnits(const space::Space& space, const space::SlotChain& chain);

  std::size_t num_units() const { return units_.size(); }
  int num_options(std::size_t unit) const { return units_[unit].num_options; }
  /// Number of the pair (unit, option 0); the unit's others follow.
  std::size_t first(std::size_t unit) const { return units_[unit].first; }
  std::size_t size() const { return size_; }

  bool alive(const space::Arch& arch, std::size_t unit) const;
  int option(const space::Arch& arch, std::size_t unit) const;
  /// `arch` with another option, canonical. Blocks that come to life have choice 0.
  space::Arch exchanged(const space::Arch& arch, std::size_t unit, int option) const;

  /// Values of the pairs from AccuracyPredictor::choice_effects() of one arch: sums over the unit's
  /// decisions.
  std::vector<float> from_effects(std::span<const float> effects) const;

  /// The score of each transition of the chain (BudgetProgram::solve()) if every living unit
  /// contributes the value of its option. `scores` is resized.
  void score_transitions(std::span<const float> values, std::vector<float>& scores) const;

 private:
  struct Unit {
    std::vector<std::size_t> decisions;
    int num_options = 1;
    std::size_t first = 0;
  };
  void add_unit(std::vector<std::size_t> decisions);
  /// Appends what the transitions of a step add up.
  void add_terms(std::size_t step, const space::SlotChain& chain,
                 std::span<const std::size_t> owned);

  const space::Space* space_;
  std::vector<Unit> units_;
  std::size_t size_ = 0;
  std::vector<std::size_t> first_effect_;        // of each decision
  std::vector<std::uint32_t> terms_;             // pairs that each transition adds up
  std::vector<std::uint32_t> first_term_ = {0};  // of each transition, and the end
};

}  // namespace lathe::search
