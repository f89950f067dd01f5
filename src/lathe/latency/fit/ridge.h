// A latency model from few whole-net measurements, for any space whose blocks can be listed.
#pragma once

#include <cstdint>
#include <span>

#include "lathe/latency/models/block_table.h"
#include "lathe/latency/samples/fingerprint.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/regress/group_ridge.h"
#include "lathe/space/space.h"

namespace lathe::latency {

inline constexpr int kMinRidgeSamples = 10;

struct RidgeOptions {
  /// The strengths are chosen from at most so many samples (their cost is cubic), and the fit is
  /// made to at most so many; drawn with `seed` if there are more.
  int max_strength_samples = 400;
  int max_samples = 4000;
  std::uint64_t seed = 0;
  regress::GroupRidgeOptions regression;
};

/// A block table fitted to whole nets: latency = constant + sum over the net's blocks, a block's
/// cost = sum over its operators + a share of its own.
///
/// An operator's cost is a launch, its multiply-accumulates and the numbers it moves, each times a
/// rate. Every rate is a sum of shrunk parts: common to the operator's kind; smooth in its shape,
/// over four octaves of channels or over one; and the operator's own, at one resolution or at all.
/// That is a linear model, since smooth functions of the shape enter by their covariance, and its
/// parts' strengths are those of greatest restricted likelihood: what the device doesn't show, or
/// the samples can't tell, gets none. Noise is taken as relative and heavy-tailed.
///
/// Two nets that differ in blocks that never were measured still get sensible latencies, from
/// neighbouring shapes; a single coefficient is no layer's time and may be negative.
/// @throws std::invalid_argument with fewer than kMinRidgeSamples samples, or if one is not > 0;
/// Error as Space::distinct_blocks(). O(samples^3), half a second with 300.
BlockTable fit_ridge(const space::Space& space, const Fingerprint& fingerprint,
                     std::span<const LatencySample> samples, const RidgeOptions& options = {});

/// The same for what `base` leaves unexplained: `scale` * base + the table, both fitted together.
struct RidgeOnBase {
  double scale = 1.0;
  BlockTable table;
};
/// `base_ms`: the base's prediction for each sample.
RidgeOnBase fit_ridge_on(std::span<const double> base_ms, const space::Space& space,
                         const Fingerprint& fingerprint, std::span<const LatencySample> samples,
                         const RidgeOptions& options = {});

}  // namespace lathe::latency
