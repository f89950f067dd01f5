#include "lathe/search/cells/derive.h"

#include <Eigen/Core>
#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/core/random.h"
#include "lathe/regress/ridge.h"
#include "lathe/search/chain/k_best.h"
#include "lathe/search/chain/pareto_front.h"
#include "lathe/space/families/cell_family.h"
#include "lathe/space/slot_chain.h"
#include "lathe/space/slot_costs.h"
#include "lathe/space/trellis.h"

namespace lathe::search {
namespace {

using space::kInfinity;

/// Of the regression that stands for a perceptron.
constexpr int kRidgeNets = 2000;
/// Nets looked at around each price, and prices.
constexpr std::size_t kNeighbours = 2000;

/// The kind, the edge and the operation of slot `s` >= 1 in an arch.
struct SlotInput {
  int kind;
  space::CellInput input;
  int edge;
};

SlotInput input_of(const space::Space& space, int s, const space::Arch& arch) {
  const int kind = (s - 1) / space::kCellInputs;
  const int index = (s - 1) % space::kCellInputs;
  const space::CellInput input = space::cells_of(space, arch)[static_cast<std::size_t>(kind)].at(
      static_cast<std::size_t>(index));
  return {kind, input, space::cell_edge(index / 2, input.source)};
}

class Derivation {
 public:
  Derivation(const space::Space& space, const CellLogits& logits, const CellLatency& latency,
             const DeriveOptions& options)
      : space_(space), latency_(latency), options_(options), chain_(space) {
    const std::vector<double> strengths = logits.strengths();
    lost_ = chain_.costs(costs([&](const SlotInput& at) {
      return 1 - strengths[CellLogits::op_index(at.kind, at.edge, at.input.op)];
    }));
    skips_ = chain_.costs(costs([&](const SlotInput& at) {
      return at.kind == 0 && at.input.op == space::kCellSkip ? 1.0 : 0.0;
    }));
    if (options.max_skips >= 0) {
      limits_.push_back({skips_, static_cast<double>(options.max_skips)});
    }
    inputs_ = space.encoding_size() / space::kCellBits * space::kCellInputs;
  }

  std::vector<DerivedNet> run(std::span<const double> targets_ms) {
    return latency_.additive() ? by_front(targets_ms) : by_score(targets_ms);
  }

 private:
  template <typename Of>
  space::SlotCosts costs(const Of& of) const {
    return space::SlotCosts::of_slots(space_, [&](int s, const space::Arch& arch) {
      return s == 0 ? 0.0 : of(input_of(space_, s, arch));
    });
  }

  /// Milliseconds of transitions for weights of the encoding's bits.
  std::vector<double> latencies(const std::vector<double>& weights, double constant) const {
    std::vector<double> all = chain_.costs(costs([&](const SlotInput& at) {
      const std::size_t bit = CellLogits::op_index(at.kind, at.edge, at.input.op);
      return bit < weights.size() ? weights[bit] : 0.0;
    }));
    for (std::uint32_t t = 0; t < chain_.trellis().first_transition(1); ++t) {
      all[t] += constant;
    }
    return all;
  }

  double score(double lost) const { return inputs_ - lost; }

  /// The bits of the kinds that the latency counts.
  std::vector<float> row(const space::Arch& arch) const {
    std::vector<float> bits = space_.encode(arch);
    bits.resize(latency_.row_size());
    return bits;
  }

  double predict(const space::Arch& arch) const { return latency_.predict(row(arch))[0]; }

  std::vector<DerivedNet> by_front(std::span<const double> targets_ms) const {
    const std::vector<double> ms = latencies(latency_.weights(), latency_.constant());
    const ParetoFront front(chain_.trellis(), lost_, ms, {.limits = limits_});
    std::vector<DerivedNet> nets;
    for (const double target_ms : targets_ms) {
      DerivedNet net{.target_ms = target_ms, .minimum_ms = front.points().front().latency};
      if (const std::optional<FrontAnswer> answer = front.best(target_ms)) {
        net.feasible = true;
        net.arch = chain_.arch(answer->path);
        net.score = score(answer->error);
        net.bound = score(answer->bound);
        net.latency_ms = predict(net.arch);
      }
      nets.push_back(std::move(net));
    }
    return nets;
  }

  bool allowed(const space::Path& path) const {
    return limits_.empty() || chain_.trellis().total(path, skips_) <= limits_.front().limit + 0.5;
  }

  std::vector<double> predict(std::span<const space::BestPath> paths) const {
    std::vector<float> rows;
    for (const space::BestPath& path : paths) {
      const std::vector<float> bits = row(chain_.arch(path.path));
      rows.insert(rows.end(), bits.begin(), bits.end());
    }
    return latency_.predict(rows);
  }

  /// Looks at `paths` with their latencies for a better answer.
  void improve(std::span<const space::BestPath> paths, std::span<const double> ms,
               std::vector<DerivedNet>& nets) const {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (!allowed(paths[i].path)) {
        continue;
      }
      const double found = score(chain_.trellis().total(paths[i].path, lost_));
      for (DerivedNet& net : nets) {
        net.minimum_ms = std::min(net.minimum_ms, ms[i]);
        if (ms[i] <= net.target_ms && (!net.feasible || found > net.score)) {
          net.feasible = true;
          net.score = found;
          net.latency_ms = ms[i];
          net.arch = chain_.arch(paths[i].path);
        }
      }
    }
  }

  std::vector<DerivedNet> by_score(std::span<const double> targets_ms) const {
    std::vector<DerivedNet> nets;
    for (const double target_ms : targets_ms) {
      nets.push_back({.target_ms = target_ms, .minimum_ms = kInfinity, .bound = kInfinity});
    }
    std::size_t looked_at = 0;
    double last = 0;
    for (std::size_t k = std::min<std::size_t>(1000, options_.most_nets);; k *= 8) {
      k = std::min(k, options_.most_nets);
      const std::vector<space::BestPath> paths = k_best(chain_.trellis(), lost_, k);
      const auto fresh = std::span(paths).subspan(looked_at);
      improve(fresh, predict(fresh), nets);
      looked_at = paths.size();
      last = paths.back().total;
      const bool answered =
          std::all_of(nets.begin(), nets.end(), [](const DerivedNet& net) { return net.feasible; });
      if (answered || looked_at < k || k == options_.most_nets) {
        break;
      }
    }
    bool any_open = false;
    for (DerivedNet& net : nets) {
      net.bound = net.feasible ? net.score : score(last);
      any_open = any_open || !net.feasible;
    }
    if (any_open) {
      by_ridge(nets);
    }
    return nets;
  }

  /// Candidates by the sum that is nearest to the model.
  void by_ridge(std::vector<DerivedNet>& nets) const {
    Rng rng(0);
    Eigen::MatrixXd x(kRidgeNets, static_cast<Eigen::Index>(latency_.row_size()));
    Eigen::VectorXd y(kRidgeNets);
    for (int net = 0; net < kRidgeNets; ++net) {
      const std::vector<float> bits = row(space_.sample(rng));
      for (std::size_t i = 0; i < bits.size(); ++i) {
        x(net, static_cast<Eigen::Index>(i)) = static_cast<double>(bits[i]);
      }
      y(net) = latency_.predict(bits)[0];
    }
    const regress::RidgeFit fit = regress::fit_ridge(x, y, Eigen::VectorXd::Ones(kRidgeNets));
    const std::vector<double> ms = latencies(fit.weights, fit.constant);
    const ParetoFront front(chain_.trellis(), lost_, ms, {.limits = limits_});
    std::vector<space::BestPath> paths;
    for (std::size_t i = 0; i < front.points().size(); ++i) {
      paths.push_back({front.path(i), 0});
    }
    improve(paths, predict(paths), nets);
    for (const DerivedNet& net : std::vector<DerivedNet>(nets)) {
      if (net.proved() && net.feasible) {
        continue;
      }
      std::vector<double> priced = lost_;
      const double price = price_at(front, net.target_ms);
      for (std::size_t t = 0; t < priced.size(); ++t) {
        priced[t] += price * ms[t];
      }
      const std::vector<space::BestPath> near = k_best(chain_.trellis(), priced, kNeighbours);
      improve(near, predict(near), nets);
    }
  }

  /// What a millisecond costs in score there.
  static double price_at(const ParetoFront& front, double target_ms) {
    const auto points = front.points();
    std::size_t after = 0;
    while (after < points.size() && points[after].latency <= target_ms) {
      ++after;
    }
    const std::size_t high = std::clamp<std::size_t>(after, 1, points.size() - 1);
    const FrontPoint& a = points[high - 1];
    const FrontPoint& b = points[high];
    return points.size() < 2 ? 0.0 : (a.error - b.error) / (b.latency - a.latency);
  }

  const space::Space& space_;
  const CellLatency& latency_;
  const DeriveOptions& options_;
  space::SlotChain chain_;
  std::vector<double> lost_;   // of each transition: 1 - strength
  std::vector<double> skips_;  // of each transition
  std::vector<LimitedCost> limits_;
  double inputs_ = 0;
};

}  // namespace

std::vector<DerivedNet> derive_within(const space::Space& space, const CellLogits& logits,
                                      const CellLatency& latency,
                                      std::span<const double> targets_ms,
                                      const DeriveOptions& options) {
  const auto require = [](bool holds, const std::string& what) {
    if (!holds) {
      throw std::invalid_argument("[search::derive_within] " + what);
    }
  };
  require(!targets_ms.empty(), "needs a target");
  for (const double target_ms : targets_ms) {
    require(target_ms > 0, "targets must be > 0, got " + std::to_string(target_ms));
  }
  require(space::has_cells(space), "space must be one of cells, got " + space.name());
  const int kinds = space.encoding_size() / space::kCellBits;
  require(logits.kinds == kinds && latency.kinds() <= kinds,
          "the space has " + std::to_string(kinds) + " kinds of cells, the logits " +
              std::to_string(logits.kinds) + " and the latency " + std::to_string(latency.kinds()));
  return Derivation(space, logits, latency, options).run(targets_ms);
}

double score_of(std::span<const space::Cell> cells, const CellLogits& logits) {
  const std::vector<double> strengths = logits.strengths();
  double score = 0;
  for (std::size_t kind = 0; kind < cells.size(); ++kind) {
    for (std::size_t i = 0; i < cells[kind].size(); ++i) {
      const space::CellInput& input = cells[kind].at(i);
      const int edge = space::cell_edge(static_cast<int>(i) / 2, input.source);
      score += strengths.at(CellLogits::op_index(static_cast<int>(kind), edge, input.op));
    }
  }
  return score;
}

double latency_of(std::span<const space::Cell> cells, const CellLatency& latency) {
  std::vector<float> row(latency.row_size());
  for (int kind = 0; kind < latency.kinds(); ++kind) {
    const space::Cell& cell = cells[static_cast<std::size_t>(kind)];
    for (std::size_t i = 0; i < cell.size(); ++i) {
      const int edge = space::cell_edge(static_cast<int>(i) / 2, cell[i].source);
      row[CellLogits::op_index(kind, edge, cell[i].op)] = 1;
    }
  }
  return latency.predict(row)[0];
}

double derived_latency(const CellLogits& logits, const CellLatency& latency, int max_skips) {
  return latency_of(derive_cells(logits, max_skips), latency);
}

}  // namespace lathe::search
