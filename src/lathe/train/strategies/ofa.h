// Once-for-All's progressive shrinking (Cai et al., ICLR 2020), and CompOFA's (Sahni et al., ICLR
// 2021), which is the same over a space whose depth and expansion are tied.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lathe/space/space.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

/// A part of the training, in which nets may have the largest choices of some decisions.
struct OfaPhase {
  std::string name;
  double epochs = 0;         ///< any unit: only ratios count, see OfaOptions
  double warmup_epochs = 0;  ///< of `epochs`
  double peak_share = 1;     ///< the phase's peak learning rate, relative to the teacher's
  int nets_per_step = 1;
  /// By decision group ("ks", "d", "e", "w"), how many of the largest choices are open; groups that
  /// aren't named have the largest alone. Resolution is open from the first phase on.
  std::map<std::string, int> open;
  bool sorts_channels = false;  ///< before it; within the widths that the phase before had open
};

/// The paper's phases for a space, those that have nothing to open left out: teacher 180 epochs;
/// kernel 125; then depth and then expansion (and width, where there is such a choice) with 25
/// epochs of the largest two choices and 125 of all. Depth steps train two nets, phases that open
/// widths four, after a channel sort. Where depth and expansion are one decision, that decision
/// opens widths (CompOFA: 180 + 25 + 125 epochs).
/// Peak rates are 2.6, 0.96, 0.08 and 0.24 in the paper (batch 2,048).
std::vector<OfaPhase> ofa_phases(const space::Space& space);

struct OfaOptions {
  std::vector<OfaPhase> phases;  ///< ofa_phases(space)
  std::int64_t total_steps = 0;  ///< shared among the phases in proportion to their epochs, at
                                 ///< least one each
  double learning_rate = 0.15;   ///< peak of the teacher's phase
  std::uint64_t seed = 0;
};

/// First the largest net alone with labels (the teacher). Each following phase has a cosine
/// schedule of its own and begins with an empty optimizer; its steps train nets that are drawn
/// uniformly from what is open, each with labels and with the fixed teacher's soft labels, and
/// gradients are summed.
///
/// Differs in: the teacher runs with its running statistics (the public code leaves it in training
/// mode); the optimizer's buffers follow a channel sort where a phase doesn't restart it.
/// @throws std::invalid_argument if there is no phase, one has no epochs, or total_steps is fewer
/// than the phases. `space` must outlive the result.
std::unique_ptr<Strategy> make_ofa(const space::Space& space, const OfaOptions& options);

}  // namespace lathe::train
