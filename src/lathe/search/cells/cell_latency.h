// Latency of cells as a function of their encoding, at nets and in between: what a search by
// gradients needs of a latency model.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "lathe/latency/models/latency_model.h"
#include "lathe/regress/perceptron.h"
#include "lathe/space/space.h"

namespace lathe::search {

/// A row is Space::encode() of a space of cells, or any other numbers in its place. Immutable and
/// thread-safe.
class CellLatency {
 public:
  /// `model` is a sum over blocks or bits, or a perceptron over the encoding, with or without such a
  /// sum beneath it. Nothing is kept of it.
  /// @throws std::invalid_argument if `space` is none of cells; Error if the model is of another
  /// space or kind, or doesn't cover the space.
  CellLatency(const space::Space& space, const latency::LatencyModel& model);
  /// MACs in place of milliseconds, in millions.
  static CellLatency of_macs(const space::Space& space);

  /// Kinds of cells that it counts: 2, or 1 of a space without reduction cells, such as that of a
  /// single cell (the latency prediction module of LA-DARTS).
  int kinds() const { return kinds_; }
  std::size_t row_size() const { return weights_.size(); }
  /// Whether it is a sum over the bits.
  bool additive() const { return !perceptron_; }
  /// Of a sum: what a bit adds, and what every net has.
  const std::vector<double>& weights() const { return weights_; }
  double constant() const { return constant_; }

  /// Of each row of [n, row_size()].
  std::vector<double> predict(std::span<const float> rows) const;
  /// The derivative of each by its row's numbers: [n, row_size()].
  std::vector<double> gradients(std::span<const float> rows) const;

 private:
  CellLatency() = default;
  void add_sum(const space::Space& space, const space::SlotCosts& costs);
  void add(const space::Space& space, const latency::LatencyModel& model);

  int kinds_ = 0;
  double constant_ = 0;
  std::vector<double> weights_;
  std::optional<regress::Perceptron> perceptron_;
  double scale_ = 0;  // of the perceptron's output
};

}  // namespace lathe::search
