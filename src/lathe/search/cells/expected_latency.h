// The latency that cells drawn from a search's weights have on average, and its derivative by those
// weights: what makes a search by gradients aware of latency.
#pragma once

#include <string>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/search/cells/cell_latency.h"
#include "lathe/search/cells/cell_logits.h"

namespace lathe::search {

/// Which edges a drawn cell has.
enum class EdgeDraw {
  kTwoPerNode,  ///< two into each node, all pairs equally likely
  kEightOf14,   ///< any eight: the paper's words, though few such draws are cells
  kByWeight,    ///< two into each node, pairs by the product of their edges' weights
};

enum class LatencyEstimator {
  /// For each operation drawn, the model is asked what every other one would have made of it: exact
  /// given the other draws, with little variance.
  kLocalExpectation,
  /// The model's derivative at the drawn cell counts as that by the probabilities: the paper's.
  kStraightThrough,
  /// Operations are blends by softmax with Gumbel noise, in between cells.
  kGumbel,
  /// The score function, each draw against the mean of the others: no derivative of the model.
  kReinforce,
};

/// "two-per-node", "eight-of-14", "by-weight".
std::string to_string(EdgeDraw draw);
/// "local-expectation", "straight-through", "gumbel", "reinforce".
std::string to_string(LatencyEstimator estimator);
/// @throws std::invalid_argument for another name.
EdgeDraw edge_draw_from_string(const std::string& name);
LatencyEstimator latency_estimator_from_string(const std::string& name);

struct ExpectedLatencyOptions {
  LatencyEstimator estimator = LatencyEstimator::kLocalExpectation;
  EdgeDraw edges = EdgeDraw::kTwoPerNode;
  int draws = 20;  ///< cells; the paper's M
  double temperature = 1.0;  ///< of kGumbel
  /// Each number that the model gives is multiplied by 1 + this * a standard normal draw: a test of
  /// how much the search minds a bad model.
  double prediction_noise = 0;
};

/// An estimate and its derivative by the logits, in their layout.
struct LatencyGradient {
  double latency_ms = 0;
  CellLogits by;
};

/// E[latency] for operations drawn from each edge's softmax without `none`, and edges by EdgeDraw.
/// Kinds of cells that `latency` doesn't count have derivative 0. Edges' weights get a derivative
/// from kByWeight, by the same estimate as operations with kLocalExpectation and kReinforce, and
/// none with the others, whose draws of edges have none.
/// @see LA-DARTS (Xu et al., 2020), section 3.3. Differs in: kTwoPerNode and kLocalExpectation.
/// @throws std::invalid_argument if draws < 1 (2 for kReinforce), the temperature is not > 0, the
/// noise is negative, the logits have fewer kinds than `latency`, or no weights of edges for
/// kByWeight.
LatencyGradient expected_latency(const CellLogits& logits, const CellLatency& latency,
                                 const ExpectedLatencyOptions& options, Rng& rng);

}  // namespace lathe::search
