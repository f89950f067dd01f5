// Measuring more than fits one sitting: group by group into a file, resumable at any moment.
#pragma once

#include <functional>

#include "lathe/core/progress.h"
#include "lathe/latency/samples/block_log.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/measure/runners/runner.h"
#include "lathe/space/space.h"

namespace lathe::measure {

/// The conditions that `runner` measures `space` under.
latency::Fingerprint fingerprint(const Runner& runner, const space::Space& space);

struct CollectOptions {
  TimingOptions timing{.warmup_runs = 3, .rounds = 6, .runs_per_round = 20, .round_ms = 20};
  int group_size = 15;  ///< nets timed in turns with one anchor; a crash loses one group at most
  std::int64_t at_most = 0;  ///< nets or blocks of one call; 0: all
  /// How often a group is timed again at most, while its anchor takes over kDisturbed times what it
  /// took in the quietest group. Of all times the quietest is kept; where none was quiet the device
  /// is taken to have become slower, and the next groups are measured against that.
  int again = 4;
  /// Whether there is time for more than each net's first timing; empty: always.
  std::function<bool()> in_time;
};

inline constexpr double kDisturbed = 1.05;

/// Times every distinct block of the space alone that `log` does not have yet, in random but
/// reproducible order, and appends them. The anchor is the block with the median of
/// multiply-accumulates. A block finds its own weights in the caches, in a whole net it doesn't:
/// sums of blocks need latency::calibrated().
/// @throws std::invalid_argument if group_size is not positive; as Runner::time() and
/// BlockLog::append().
void collect_blocks(Runner& runner, const space::Space& space, latency::BlockLog& log,
                    const CollectOptions& options, const ProgressFn& progress);

/// Times `archs` with random weights and appends each to `log`. The anchor is the net with the
/// middle choice of every decision.
/// @throws std::invalid_argument if group_size is not positive; as Runner::time() and
/// SampleLog::append().
void collect_samples(Runner& runner, const space::Space& space, std::span<const space::Arch> archs,
                     latency::SampleLog& log, const CollectOptions& options,
                     const ProgressFn& progress);

}  // namespace lathe::measure
