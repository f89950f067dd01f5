// Estimates against the closed form of sums, and against enumeration where few cells are possible.
#include "lathe/search/cells/expected_latency.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/statistics.h"
#include "lathe/space/builtin_spaces.h"
#include "search/cells/small_perceptron.h"
#include "search/synthetic_models.h"

namespace lathe::search {
namespace {

using lathe::testing::small_perceptron;
using lathe::testing::text_thrown;
using space::cell_edge;

CellLogits random_logits(int kinds, bool with_edges, std::uint64_t seed) {
  CellLogits logits = CellLogits::zero(kinds, with_edges);
  Rng rng(seed);
  for (double& value : logits.ops) value = 0.5 * rng.normal();
  for (double& value : logits.edges) value = 0.5 * rng.normal();
  return logits;
}

/// The expectation of a sum: constant + sum over edges of the chance that the edge is there times
/// the mean over its operations.
double of_sum(const CellLogits& logits, const CellLatency& latency) {
  const std::vector<double> shares = logits.op_shares();
  double sum = latency.constant();
  for (int kind = 0; kind < latency.kinds(); ++kind) {
    for (int node = 0; node < space::kCellNodes; ++node) {
      for (int source = 0; source < node + 2; ++source) {
        for (int op = 1; op < 8; ++op) {
          const std::size_t i = CellLogits::op_index(kind, cell_edge(node, source), op);
          sum += 2.0 / (node + 2) * shares[i] * latency.weights()[i];
        }
      }
    }
  }
  return sum;
}

/// The derivative of `value` by a logit.
template <typename Value>
double slope(CellLogits logits, std::vector<double> CellLogits::* member, std::size_t i,
             const Value& value) {
  constexpr double kStep = 1e-4;
  const double at = (logits.*member)[i];
  (logits.*member)[i] = at + kStep;
  const double above = value(logits);
  (logits.*member)[i] = at - kStep;
  return (above - value(logits)) / (2 * kStep);
}

/// Means and standard errors of many independent estimates.
struct Repeated {
  std::vector<double> means, errors;
  double latency_ms = 0, latency_error = 0;
};

Repeated repeat(const CellLogits& logits, const CellLatency& latency,
                const ExpectedLatencyOptions& options, int times) {
  Rng rng(11);
  const std::size_t count = logits.ops.size() + logits.edges.size();
  std::vector<std::vector<double>> all(count);
  std::vector<double> latencies;
  for (int t = 0; t < times; ++t) {
    const LatencyGradient estimate = expected_latency(logits, latency, options, rng);
    latencies.push_back(estimate.latency_ms);
    for (std::size_t i = 0; i < count; ++i) {
      all[i].push_back(i < logits.ops.size() ? estimate.by.ops[i]
                                             : estimate.by.edges[i - logits.ops.size()]);
    }
  }
  const auto error = [&](const std::vector<double>& values, double m) {
    double squares = 0;
    for (const double value : values) squares += (value - m) * (value - m);
    return std::sqrt(squares / (times - 1.0) / times);
  };
  Repeated result;
  for (const std::vector<double>& values : all) {
    result.means.push_back(mean(values));
    result.errors.push_back(error(values, result.means.back()));
  }
  result.latency_ms = mean(latencies);
  result.latency_error = error(latencies, result.latency_ms);
  return result;
}

TEST(ExpectedLatency, OfASumIsTheClosedFormsWithItsGradient) {
  const auto space = space::make_space("darts_c4_l3", {.input_size = 8});
  const CellLatency latency(*space, lathe::testing::AdditiveLatency(*space, 1));
  const CellLogits logits = random_logits(2, false, 2);
  for (const LatencyEstimator estimator :
       {LatencyEstimator::kLocalExpectation, LatencyEstimator::kStraightThrough,
        LatencyEstimator::kReinforce}) {
    SCOPED_TRACE(to_string(estimator));
    // Straight through a sum the derivative is exact too.
    const Repeated many = repeat(logits, latency, {.estimator = estimator}, 400);
    EXPECT_NEAR(many.latency_ms, of_sum(logits, latency), 4 * many.latency_error);
    for (std::size_t i = 1; i < logits.ops.size(); i += 5) {
      const double expected = slope(logits, &CellLogits::ops, i, [&](const CellLogits& at) {
        return of_sum(at, latency);
      });
      EXPECT_NEAR(many.means[i], expected, 4.5 * many.errors[i] + 1e-9) << i;
    }
  }
}

TEST(ExpectedLatency, GumbelTendsToTheClosedFormsGradientOfASum) {
  // The mean of a blend is near the shares, and the better the colder; its value is a sum's own.
  const auto space = space::make_space("darts_c4_l1", {.input_size = 8});
  const CellLatency latency(*space, lathe::testing::AdditiveLatency(*space, 1));
  const CellLogits logits = random_logits(1, false, 2);
  const Repeated many = repeat(
      logits, latency, {.estimator = LatencyEstimator::kGumbel, .temperature = 0.3}, 800);
  EXPECT_NEAR(many.latency_ms, of_sum(logits, latency), 0.02 * of_sum(logits, latency));
  double product = 0, squares = 0, expected_squares = 0;
  for (std::size_t i = 0; i < logits.ops.size(); ++i) {
    const double expected = slope(logits, &CellLogits::ops, i, [&](const CellLogits& at) {
      return of_sum(at, latency);
    });
    product += expected * many.means[i];
    squares += many.means[i] * many.means[i];
    expected_squares += expected * expected;
  }
  EXPECT_GT(product / std::sqrt(squares * expected_squares), 0.95);
}

/// The expectation by going through every cell that has a chance; edges two a node, all pairs alike
/// or by weight.
double by_enumeration(const CellLogits& logits, const CellLatency& latency, bool by_weight) {
  const std::vector<double> shares = logits.op_shares();
  struct Option {
    double chance;
    std::size_t bits[2];
  };
  std::vector<std::vector<Option>> nodes;
  for (int node = 0; node < space::kCellNodes; ++node) {
    std::vector<Option> options;
    double total = 0;
    for (int a = 0; a < node + 2; ++a) {
      for (int b = a + 1; b < node + 2; ++b) {
        const int ea = cell_edge(node, a), eb = cell_edge(node, b);
        const double weight =
            by_weight ? std::exp(logits.edges[static_cast<std::size_t>(ea)] +
                                 logits.edges[static_cast<std::size_t>(eb)])
                      : 1.0;
        total += weight;
        for (int p = 1; p < 8; ++p) {
          for (int q = 1; q < 8; ++q) {
            const std::size_t i = CellLogits::op_index(0, ea, p), j = CellLogits::op_index(0, eb, q);
            if (shares[i] * shares[j] > 0) {
              options.push_back({weight * shares[i] * shares[j], {i, j}});
            }
          }
        }
      }
    }
    for (Option& option : options) option.chance /= total;
    nodes.push_back(std::move(options));
  }
  double sum = 0;
  std::vector<float> rows;
  std::vector<double> chances;
  const auto flush = [&] {
    const std::vector<double> values = latency.predict(rows);
    for (std::size_t i = 0; i < values.size(); ++i) sum += chances[i] * values[i];
    rows.clear();
    chances.clear();
  };
  for (const Option& a : nodes[0]) {
    for (const Option& b : nodes[1]) {
      for (const Option& c : nodes[2]) {
        for (const Option& d : nodes[3]) {
          std::vector<float> row(latency.row_size(), 0.0F);
          for (const Option* option : {&a, &b, &c, &d}) {
            row[option->bits[0]] = row[option->bits[1]] = 1.0F;
          }
          rows.insert(rows.end(), row.begin(), row.end());
          chances.push_back(a.chance * b.chance * c.chance * d.chance);
        }
      }
      flush();
    }
  }
  return sum;
}

/// Two operations of each edge have a chance, others none.
CellLogits few_logits() {
  CellLogits logits = random_logits(1, true, 5);
  for (int edge = 0; edge < space::kCellEdges; ++edge) {
    for (int op = 1; op < 8; ++op) {
      if (op != 3 && op != 4 + edge % 3) {
        logits.ops[CellLogits::op_index(0, edge, op)] = -1e4;
      }
    }
  }
  return logits;
}

TEST(ExpectedLatency, OfAPerceptronIsWhatEnumerationGives) {
  const auto space = space::make_space("darts_c4_l1", {.input_size = 8});
  const CellLatency latency(
      *space, latency::PerceptronModel(*space, small_perceptron(*space, 6, 4), nullptr));
  const CellLogits logits = few_logits();
  for (const EdgeDraw edges : {EdgeDraw::kTwoPerNode, EdgeDraw::kByWeight}) {
    const bool by_weight = edges == EdgeDraw::kByWeight;
    const auto exact = [&](const CellLogits& at) {
      return by_enumeration(at, latency, by_weight);
    };
    const double expected = exact(logits);
    for (const LatencyEstimator estimator :
         {LatencyEstimator::kLocalExpectation, LatencyEstimator::kReinforce}) {
      SCOPED_TRACE(to_string(estimator) + ", " + to_string(edges));
      const Repeated many =
          repeat(logits, latency, {.estimator = estimator, .edges = edges}, 1500);
      EXPECT_NEAR(many.latency_ms, expected, 4 * many.latency_error);
      for (const int edge : {0, 3, 9, 13}) {
        const std::size_t i = CellLogits::op_index(0, edge, 3);
        EXPECT_NEAR(many.means[i], slope(logits, &CellLogits::ops, i, exact),
                    4 * many.errors[i] + 1e-7);
      }
      if (by_weight) {
        for (const std::size_t edge : {3, 7, 10}) {
          EXPECT_NEAR(many.means[logits.ops.size() + edge],
                      slope(logits, &CellLogits::edges, edge, exact),
                      4 * many.errors[logits.ops.size() + edge] + 1e-7);
        }
      }
    }
  }
}

TEST(ExpectedLatency, LocalExpectationVariesTheLeast) {
  const auto space = space::make_space("darts_c4_l1", {.input_size = 8});
  const CellLatency latency(
      *space, latency::PerceptronModel(*space, small_perceptron(*space, 6), nullptr));
  const CellLogits logits = random_logits(1, false, 8);
  const auto spread = [&](LatencyEstimator estimator) {
    double sum = 0;
    for (const double error : repeat(logits, latency, {.estimator = estimator}, 50).errors) {
      sum += error;
    }
    return sum;
  };
  EXPECT_LT(5 * spread(LatencyEstimator::kLocalExpectation), spread(LatencyEstimator::kReinforce));
}

TEST(ExpectedLatency, DrawsEightEdgesOfFourteenAsThePaperSays) {
  // A sum's expectation then has 8/14 of each edge.
  const auto space = space::make_space("darts_c4_l1", {.input_size = 8});
  const CellLatency latency(*space, lathe::testing::AdditiveLatency(*space, 1));
  const CellLogits logits = random_logits(1, false, 2);
  const std::vector<double> shares = logits.op_shares();
  double expected = latency.constant();
  for (std::size_t i = 0; i < shares.size(); ++i) {
    expected += 8.0 / 14 * shares[i] * latency.weights()[i];
  }
  const Repeated many = repeat(logits, latency, {.edges = EdgeDraw::kEightOf14}, 400);
  EXPECT_NEAR(many.latency_ms, expected, 4 * many.latency_error);
}

TEST(ExpectedLatency, NoiseLeavesTheMean) {
  const auto space = space::make_space("darts_c4_l1", {.input_size = 8});
  const CellLatency latency(*space, lathe::testing::AdditiveLatency(*space, 1));
  const CellLogits logits = random_logits(1, false, 2);
  for (const LatencyEstimator estimator :
       {LatencyEstimator::kLocalExpectation, LatencyEstimator::kStraightThrough}) {
    const Repeated plain = repeat(logits, latency, {.estimator = estimator}, 200);
    const Repeated noisy =
        repeat(logits, latency, {.estimator = estimator, .prediction_noise = 0.2}, 200);
    EXPECT_NEAR(noisy.latency_ms, plain.latency_ms,
                4 * (noisy.latency_error + plain.latency_error));
    EXPECT_GT(noisy.errors[12], plain.errors[12]);
    EXPECT_NEAR(noisy.means[12], plain.means[12], 5 * (noisy.errors[12] + plain.errors[12]));
  }
}

TEST(ExpectedLatency, SameSeedSameEstimate) {
  const auto space = space::make_space("darts_c4_l3", {.input_size = 8});
  const CellLatency latency(*space, lathe::testing::AdditiveLatency(*space, 1));
  const CellLogits logits = random_logits(2, false, 2);
  Rng a(3), b(3);
  EXPECT_EQ(expected_latency(logits, latency, {}, a).by,
            expected_latency(logits, latency, {}, b).by);
}

TEST(ExpectedLatency, SaysWhatIsWrong) {
  const auto space = space::make_space("darts_c4_l3", {.input_size = 8});
  const CellLatency latency(*space, lathe::testing::AdditiveLatency(*space, 1));
  const CellLogits logits = CellLogits::zero(2, false);
  Rng rng(1);
  const auto thrown = [&](const CellLogits& of, const ExpectedLatencyOptions& options) {
    return text_thrown<std::invalid_argument>([&] { expected_latency(of, latency, options, rng); });
  };
  EXPECT_EQ(thrown(logits, {.draws = 0}),
            "[search::expected_latency] draws must be >= 1, got 0");
  EXPECT_EQ(thrown(logits, {.estimator = LatencyEstimator::kReinforce, .draws = 1}),
            "[search::expected_latency] draws must be >= 2, got 1");
  EXPECT_EQ(thrown(logits, {.edges = EdgeDraw::kByWeight}),
            "[search::expected_latency] edges by weight need weights of edges");
  EXPECT_EQ(thrown(CellLogits::zero(1, false), {}),
            "[search::expected_latency] the logits have 1 kinds of cells, the latency model 2");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { edge_draw_from_string("x"); }),
            "[search::edge_draw_from_string] expected one of two-per-node, eight-of-14, by-weight, "
            "got x");
  EXPECT_EQ(latency_estimator_from_string("gumbel"), LatencyEstimator::kGumbel);
}

}  // namespace
}  // namespace lathe::search
