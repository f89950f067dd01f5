// AOWS's latency model: the least-squares explanation of whole nets as sums over their blocks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/latency/models/block_table.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/space/space.h"

namespace lathe::latency {

inline constexpr std::size_t kMinAdditiveSamples = 20;

struct AdditiveOptions {
  /// Strengths tried on a tenth of the samples, left out: of the pull towards the prior, and of the
  /// penalty on coefficients below 0 and on wider blocks that are faster. Relative errors of one
  /// per cent weigh as coefficients do that are off by one per cent of a mean net, times the root.
  std::vector<double> prior_strengths = {1e-4, 1e-3, 1e-2, 1e-1};
  std::vector<double> constraint_strengths = {0.0, 1.0, 100.0};
  std::uint64_t seed = 0;
};

/// An additive fit with what it knows of itself.
struct AdditiveFit {
  BlockTable table;   ///< with its evidence: table.certainty() says how sure it is of a net
  int variables = 0;  ///< distinct blocks of the space
  int rank = 0;       ///< of the samples: how many of their sums are told apart
  double prior_strength = 0;
  double constraint_strength = 0;
};

/// How many sums over blocks these nets determine: the rank of the least-squares system of which
/// each is a row. To be had before anything is measured. O(blocks^3).
/// @throws Error as Space::distinct_blocks().
int identifiable_rank(const space::Space& space, std::span<const space::Arch> archs);

/// latency = bias + sum of coefficients, the coefficients those that minimise the squared relative
/// errors (Huber's weights), pulled a little towards a prior (operators, multiply-accumulates and
/// numbers moved, fitted first) in the directions that samples leave open: any amount moved from
/// all of a layer's blocks to all of the next layer's changes no sum. So single coefficients are no
/// layer times; rank of variables is what the samples determine. Blocks that no sample has keep
/// the prior.
///
/// Negative coefficients, and blocks that are faster than one narrower in just one dimension, are
/// penalised in a few rounds of active constraints, as strongly as helps on left-out samples.
/// O(seen blocks^3 * (strengths + rounds)), seconds for 1,600.
/// @throws std::invalid_argument with fewer than kMinAdditiveSamples samples, or one that is not
/// > 0; Error if the samples contain more than 4,096 distinct blocks, or as distinct_blocks().
/// @see Berman et al., "AOWS: Adaptive and optimal network width search with latency constraints"
/// (CVPR 2020), section 3.2 and supplement A. Differs in: relative errors, prior, robust weights.
AdditiveFit fit_additive(const space::Space& space, const Fingerprint& fingerprint,
                         std::span<const LatencySample> samples,
                         const AdditiveOptions& options = {});

}  // namespace lathe::latency
