#include "lathe/search/cells/expected_latency.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <span>
#include <stdexcept>
#include <utility>

namespace lathe::search {
namespace {

constexpr std::array<std::pair<EdgeDraw, const char*>, 3> kEdgeDraws{
    {{EdgeDraw::kTwoPerNode, "two-per-node"},
     {EdgeDraw::kEightOf14, "eight-of-14"},
     {EdgeDraw::kByWeight, "by-weight"}}};
constexpr std::array<std::pair<LatencyEstimator, const char*>, 4> kEstimators{
    {{LatencyEstimator::kLocalExpectation, "local-expectation"},
     {LatencyEstimator::kStraightThrough, "straight-through"},
     {LatencyEstimator::kGumbel, "gumbel"},
     {LatencyEstimator::kReinforce, "reinforce"}}};

template <typename Names, typename Value>
std::string name_of(const Names& names, Value value) {
  return std::find_if(names.begin(), names.end(),
                      [&](const auto& entry) { return entry.first == value; })
      ->second;
}

template <typename Names>
auto value_of(const Names& names, const std::string& name, const char* where) {
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const auto& entry) { return entry.second == name; });
  if (found == names.end()) {
    std::string all;
    for (const auto& entry : names) {
      all += (all.empty() ? "" : ", ") + std::string(entry.second);
    }
    throw std::invalid_argument(std::string("[search::") + where + "] expected one of " + all +
                                ", got " + name);
  }
  return found->first;
}

/// An index by probabilities that add up to 1.
int draw(std::span<const double> shares, Rng& rng) {
  double left = rng.uniform();
  int last = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (shares[i] > 0) {
      last = static_cast<int>(i);
      left -= shares[i];
      if (left < 0) {
        break;
      }
    }
  }
  return last;
}

/// The pairs of edges into a node and how likely each is.
struct Pairs {
  std::vector<std::pair<int, int>> edges;
  std::vector<double> shares;
};

Pairs pairs_of(const CellLogits& logits, int kind, int node, bool by_weight) {
  Pairs pairs;
  double sum = 0;
  for (int a = 0; a < node + 2; ++a) {
    for (int b = a + 1; b < node + 2; ++b) {
      const std::pair edges{space::cell_edge(node, a), space::cell_edge(node, b)};
      pairs.edges.push_back(edges);
      pairs.shares.push_back(
          by_weight ? std::exp(logits.edges[CellLogits::edge_index(kind, edges.first)] +
                               logits.edges[CellLogits::edge_index(kind, edges.second)])
                    : 1.0);
      sum += pairs.shares.back();
    }
  }
  for (double& share : pairs.shares) {
    share /= sum;
  }
  return pairs;
}

/// What is drawn of one kind of cell: an operation for every edge, and which edges count.
struct DrawnCell {
  std::array<int, space::kCellEdges> op{};
  std::array<bool, space::kCellEdges> chosen{};
  std::array<int, space::kCellNodes> pair{};  ///< of each node, where nodes have pairs
};
using Drawn = std::vector<DrawnCell>;

class Estimate {
 public:
  Estimate(const CellLogits& logits, const CellLatency& latency,
           const ExpectedLatencyOptions& options, Rng& rng)
      : logits_(logits),
        latency_(latency),
        options_(options),
        rng_(rng),
        shares_(logits.op_shares()),
        result_{0, CellLogits::zero(logits.kinds, !logits.edges.empty())} {
    for (int kind = 0; kind < latency.kinds(); ++kind) {
      for (int node = 0; node < space::kCellNodes; ++node) {
        pairs_.push_back(pairs_of(logits, kind, node, options.edges == EdgeDraw::kByWeight));
      }
    }
  }

  LatencyGradient run() {
    std::vector<Drawn> draws;
    for (int m = 0; m < options_.draws; ++m) {
      draws.push_back(draw_cells());
    }
    switch (options_.estimator) {
      case LatencyEstimator::kLocalExpectation:
        for (const Drawn& drawn : draws) {
          local_expectation(drawn);
        }
        break;
      case LatencyEstimator::kStraightThrough:
        for (const Drawn& drawn : draws) {
          straight_through(drawn);
        }
        break;
      case LatencyEstimator::kGumbel:
        for (const Drawn& drawn : draws) {
          gumbel(drawn);
        }
        break;
      case LatencyEstimator::kReinforce:
        reinforce(draws);
        break;
    }
    return std::move(result_);
  }

 private:
  double per_draw() const { return 1.0 / options_.draws; }
  const Pairs& pairs(int kind, int node) const {
    return pairs_[static_cast<std::size_t>(kind * space::kCellNodes + node)];
  }
  std::span<const double> shares(int kind, int edge) const {
    return std::span(shares_).subspan(CellLogits::op_index(kind, edge, 0), space::kNumCellOps);
  }
  double noise() {
    return options_.prediction_noise > 0 ? 1 + options_.prediction_noise * rng_.normal() : 1.0;
  }

  Drawn draw_cells() {
    Drawn drawn(static_cast<std::size_t>(latency_.kinds()));
    for (int kind = 0; kind < latency_.kinds(); ++kind) {
      DrawnCell& cell = drawn[static_cast<std::size_t>(kind)];
      for (int edge = 0; edge < space::kCellEdges; ++edge) {
        cell.op.at(static_cast<std::size_t>(edge)) = draw(shares(kind, edge), rng_);
      }
      if (options_.edges == EdgeDraw::kEightOf14) {
        std::array<int, space::kCellEdges> order{};
        std::iota(order.begin(), order.end(), 0);
        shuffle(std::span<int>(order), rng_);
        for (int i = 0; i < space::kCellInputs; ++i) {
          cell.chosen.at(static_cast<std::size_t>(order.at(static_cast<std::size_t>(i)))) = true;
        }
        continue;
      }
      for (int node = 0; node < space::kCellNodes; ++node) {
        const Pairs& of = pairs(kind, node);
        const int pair = draw(of.shares, rng_);
        cell.pair.at(static_cast<std::size_t>(node)) = pair;
        choose(cell, of.edges[static_cast<std::size_t>(pair)], true);
      }
    }
    return drawn;
  }

  static void choose(DrawnCell& cell, std::pair<int, int> edges, bool chosen) {
    cell.chosen.at(static_cast<std::size_t>(edges.first)) = chosen;
    cell.chosen.at(static_cast<std::size_t>(edges.second)) = chosen;
  }

  std::vector<float> encoded(const Drawn& drawn) const {
    std::vector<float> row(latency_.row_size(), 0.0F);
    for (std::size_t kind = 0; kind < drawn.size(); ++kind) {
      for (std::size_t edge = 0; edge < drawn[kind].op.size(); ++edge) {
        if (drawn[kind].chosen.at(edge)) {
          row[CellLogits::op_index(static_cast<int>(kind), static_cast<int>(edge),
                                   drawn[kind].op.at(edge))] = 1.0F;
        }
      }
    }
    return row;
  }

  std::vector<double> predict(std::span<const float> rows) {
    std::vector<double> latencies = latency_.predict(rows);
    for (double& latency : latencies) {
      latency *= noise();
    }
    return latencies;
  }

  /// Adds the derivative of an expectation over an edge's operations whose values are `of_op`.
  void add_op_gradient(int kind, int edge, std::span<const double> of_op, double scale) {
    const std::span<const double> q = shares(kind, edge);
    double mean = 0;
    for (int op = 1; op < space::kNumCellOps; ++op) {
      mean += q[static_cast<std::size_t>(op)] * of_op[static_cast<std::size_t>(op)];
    }
    for (int op = 1; op < space::kNumCellOps; ++op) {
      const auto o = static_cast<std::size_t>(op);
      result_.by.ops[CellLogits::op_index(kind, edge, op)] += scale * q[o] * (of_op[o] - mean);
    }
  }

  /// The same over a node's pairs of edges, by the logits of the edges.
  void add_pair_gradient(int kind, int node, std::span<const double> of_pair, double scale) {
    const Pairs& of = pairs(kind, node);
    double mean = 0;
    for (std::size_t p = 0; p < of_pair.size(); ++p) {
      mean += of.shares[p] * of_pair[p];
    }
    for (std::size_t p = 0; p < of_pair.size(); ++p) {
      const double gradient = scale * of.shares[p] * (of_pair[p] - mean);
      result_.by.edges[CellLogits::edge_index(kind, of.edges[p].first)] += gradient;
      result_.by.edges[CellLogits::edge_index(kind, of.edges[p].second)] += gradient;
    }
  }

  void local_expectation(const Drawn& drawn) {
    // Every variant of the draw, then the gradient of each drawn variable from its variants.
    std::vector<float> rows = encoded(drawn);
    const std::vector<float> row = rows;
    const auto append = [&](const std::vector<float>& variant) {
      rows.insert(rows.end(), variant.begin(), variant.end());
    };
    for (int kind = 0; kind < latency_.kinds(); ++kind) {
      const DrawnCell& cell = drawn[static_cast<std::size_t>(kind)];
      for (int edge = 0; edge < space::kCellEdges; ++edge) {
        if (!cell.chosen.at(static_cast<std::size_t>(edge))) {
          continue;
        }
        for (int op = 1; op < space::kNumCellOps; ++op) {
          std::vector<float> variant = row;
          variant[CellLogits::op_index(kind, edge, cell.op.at(static_cast<std::size_t>(edge)))] = 0;
          variant[CellLogits::op_index(kind, edge, op)] = 1;
          append(variant);
        }
      }
      for (int node = 0; node < space::kCellNodes && options_.edges == EdgeDraw::kByWeight;
           ++node) {
        const Pairs& of = pairs(kind, node);
        for (const std::pair<int, int>& edges : of.edges) {
          Drawn variant = drawn;
          DrawnCell& other = variant[static_cast<std::size_t>(kind)];
          choose(other,
                 of.edges[static_cast<std::size_t>(cell.pair.at(static_cast<std::size_t>(node)))],
                 false);
          choose(other, edges, true);
          append(encoded(variant));
        }
      }
    }
    const std::vector<double> values = predict(rows);
    result_.latency_ms += per_draw() * values[0];
    use_variants(drawn, std::span(values).subspan(1));
  }

  /// `values` in the order in which local_expectation() made the variants.
  void use_variants(const Drawn& drawn, std::span<const double> values) {
    for (int kind = 0; kind < latency_.kinds(); ++kind) {
      const DrawnCell& cell = drawn[static_cast<std::size_t>(kind)];
      for (int edge = 0; edge < space::kCellEdges; ++edge) {
        if (!cell.chosen.at(static_cast<std::size_t>(edge))) {
          continue;
        }
        std::array<double, space::kNumCellOps> of_op{};
        std::copy_n(values.begin(), space::kNumCellOps - 1, of_op.begin() + 1);
        values = values.subspan(space::kNumCellOps - 1);
        add_op_gradient(kind, edge, of_op, per_draw());
      }
      for (int node = 0; node < space::kCellNodes && options_.edges == EdgeDraw::kByWeight;
           ++node) {
        const std::size_t count = pairs(kind, node).edges.size();
        add_pair_gradient(kind, node, values.first(count), per_draw());
        values = values.subspan(count);
      }
    }
  }

  void straight_through(const Drawn& drawn) {
    const std::vector<float> row = encoded(drawn);
    result_.latency_ms += per_draw() * predict(row)[0];
    add_relaxed(drawn, latency_.gradients(row));
  }

  /// The derivative by each chosen edge's probabilities, which counts as that by the encoding.
  void add_relaxed(const Drawn& drawn, const std::vector<double>& by_row) {
    for (int kind = 0; kind < latency_.kinds(); ++kind) {
      for (int edge = 0; edge < space::kCellEdges; ++edge) {
        if (drawn[static_cast<std::size_t>(kind)].chosen.at(static_cast<std::size_t>(edge))) {
          std::array<double, space::kNumCellOps> of_op{};
          for (int op = 1; op < space::kNumCellOps; ++op) {
            of_op.at(static_cast<std::size_t>(op)) =
                by_row[CellLogits::op_index(kind, edge, op)] * noise();
          }
          add_op_gradient(kind, edge, of_op, per_draw());
        }
      }
    }
  }

  void gumbel(const Drawn& drawn) {
    std::vector<float> row(latency_.row_size(), 0.0F);
    for (int kind = 0; kind < latency_.kinds(); ++kind) {
      for (int edge = 0; edge < space::kCellEdges; ++edge) {
        if (drawn[static_cast<std::size_t>(kind)].chosen.at(static_cast<std::size_t>(edge))) {
          blend(kind, edge, row.data() + CellLogits::op_index(kind, edge, 0));
        }
      }
    }
    result_.latency_ms += per_draw() * predict(row)[0];
    const std::vector<double> by_row = latency_.gradients(row);
    for (int kind = 0; kind < latency_.kinds(); ++kind) {
      for (int edge = 0; edge < space::kCellEdges; ++edge) {
        const std::size_t first = CellLogits::op_index(kind, edge, 0);
        double mean = 0;
        std::array<double, space::kNumCellOps> of_op{};
        for (std::size_t op = 1; op < space::kNumCellOps; ++op) {
          of_op.at(op) = by_row[first + op] * noise();
          mean += static_cast<double>(row[first + op]) * of_op.at(op);
        }
        // By softmax's derivative at the temperature; rows of edges that don't count are 0.
        for (std::size_t op = 1; op < space::kNumCellOps; ++op) {
          result_.by.ops[first + op] += per_draw() / options_.temperature *
                                        static_cast<double>(row[first + op]) *
                                        (of_op.at(op) - mean);
        }
      }
    }
  }

  /// The softmax of an edge's logits with Gumbel noise.
  void blend(int kind, int edge, float* to) {
    std::array<double, space::kNumCellOps> blended{};
    double most = -INFINITY;
    for (std::size_t op = 1; op < space::kNumCellOps; ++op) {
      const double uniform = std::max(rng_.uniform(), 1e-300);
      const double logit = logits_.ops[CellLogits::op_index(kind, edge, static_cast<int>(op))];
      blended.at(op) = (logit - std::log(-std::log(uniform))) / options_.temperature;
      most = std::max(most, blended.at(op));
    }
    double sum = 0;
    for (std::size_t op = 1; op < space::kNumCellOps; ++op) {
      blended.at(op) = std::exp(blended.at(op) - most);
      sum += blended.at(op);
    }
    for (std::size_t op = 1; op < space::kNumCellOps; ++op) {
      to[op] = static_cast<float>(blended.at(op) / sum);
    }
  }

  void reinforce(const std::vector<Drawn>& draws) {
    std::vector<float> rows;
    for (const Drawn& drawn : draws) {
      const std::vector<float> row = encoded(drawn);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    const std::vector<double> values = predict(rows);
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    result_.latency_ms = per_draw() * sum;
    for (std::size_t m = 0; m < draws.size(); ++m) {
      // The mean of the others as a baseline leaves the estimate unbiased.
      const double above = values[m] - (sum - values[m]) / (options_.draws - 1);
      add_score(draws[m], per_draw() * above);
    }
  }

  /// The derivative of the draw's log-likelihood.
  void add_score(const Drawn& drawn, double scale) {
    for (int kind = 0; kind < latency_.kinds(); ++kind) {
      const DrawnCell& cell = drawn[static_cast<std::size_t>(kind)];
      for (int edge = 0; edge < space::kCellEdges; ++edge) {
        const auto e = static_cast<std::size_t>(edge);
        for (int op = 1; op < space::kNumCellOps && cell.chosen.at(e); ++op) {
          const double is_drawn = cell.op.at(e) == op ? 1 : 0;
          result_.by.ops[CellLogits::op_index(kind, edge, op)] +=
              scale * (is_drawn - shares(kind, edge)[static_cast<std::size_t>(op)]);
        }
      }
      for (int node = 0; node < space::kCellNodes && options_.edges == EdgeDraw::kByWeight;
           ++node) {
        const Pairs& of = pairs(kind, node);
        const auto drawn_pair =
            static_cast<std::size_t>(cell.pair.at(static_cast<std::size_t>(node)));
        for (std::size_t p = 0; p < of.edges.size(); ++p) {
          const double gradient = scale * ((p == drawn_pair ? 1 : 0) - of.shares[p]);
          result_.by.edges[CellLogits::edge_index(kind, of.edges[p].first)] += gradient;
          result_.by.edges[CellLogits::edge_index(kind, of.edges[p].second)] += gradient;
        }
      }
    }
  }

  const CellLogits& logits_;
  const CellLatency& latency_;
  const ExpectedLatencyOptions& options_;
  Rng& rng_;
  std::vector<double> shares_;
  std::vector<Pairs> pairs_;
  LatencyGradient result_;
};

}  // namespace

std::string to_string(EdgeDraw draw) { return name_of(kEdgeDraws, draw); }
std::string to_string(LatencyEstimator estimator) { return name_of(kEstimators, estimator); }
EdgeDraw edge_draw_from_string(const std::string& name) {
  return value_of(kEdgeDraws, name, "edge_draw_from_string");
}
LatencyEstimator latency_estimator_from_string(const std::string& name) {
  return value_of(kEstimators, name, "latency_estimator_from_string");
}

LatencyGradient expected_latency(const CellLogits& logits, const CellLatency& latency,
                                 const ExpectedLatencyOptions& options, Rng& rng) {
  const auto require = [](bool holds, const std::string& what) {
    if (!holds) {
      throw std::invalid_argument("[search::expected_latency] " + what);
    }
  };
  const int fewest = options.estimator == LatencyEstimator::kReinforce ? 2 : 1;
  require(options.draws >= fewest,
          "draws must be >= " + std::to_string(fewest) + ", got " + std::to_string(options.draws));
  require(options.temperature > 0,
          "temperature must be > 0, got " + std::to_string(options.temperature));
  require(options.prediction_noise >= 0,
          "prediction_noise must be >= 0, got " + std::to_string(options.prediction_noise));
  require(logits.kinds >= latency.kinds(), "the logits have " + std::to_string(logits.kinds) +
                                               " kinds of cells, the latency model " +
                                               std::to_string(latency.kinds()));
  require(options.edges != EdgeDraw::kByWeight || !logits.edges.empty(),
          "edges by weight need weights of edges");
  return Estimate(logits, latency, options, rng).run();
}

}  // namespace lathe::search
