// How good a net will be, as far as a search needs to know it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lathe/space/arch.h"
#include "lathe/space/slot_costs.h"

namespace lathe::accuracy {

/// Predicts the accuracy of a space's nets. Implementations are thread-safe: all members are const,
/// and a prediction depends on the arch alone, not on those beside it.
class AccuracyPredictor {
 public:
  virtual ~AccuracyPredictor() = default;

  /// Top-1 accuracy as a fraction in [0, 1]: `out[i]` is of `archs[i]`. Many at once is faster
  /// than one by one.
  /// @throws std::invalid_argument if the two differ in size or an arch is none of the space.
  virtual void predict(std::span<const space::Arch> archs, std::span<double> out) const = 0;

  /// Of a single net.
  double predict(const space::Arch& arch) const;

  /// What each choice contributes near each arch, to first order: the derivative of the accuracy by
  /// "decision i is alive and has choice c", for the decisions in order and the choices of each in
  /// order (the numbering of Space::encode()), one row per arch. Differences say what to change;
  /// a dead decision contributes 0. Empty if the predictor knows nothing of the kind, as for
  /// spaces that encode something else than their choices.
  /// @throws std::invalid_argument if an arch is none of the space.
  virtual std::vector<float> choice_effects(std::span<const space::Arch> archs) const;

  /// Where nets rank by a sum over their slots: its terms, of which less is better; null for other
  /// predictors. Exact solvers minimise it. Lives as long as the predictor.
  virtual const space::SlotCosts* error_costs() const { return nullptr; }

  /// The space whose archs it predicts.
  virtual const std::string& space_name() const = 0;

  /// Whether it can tell anything about nets of this input size.
  virtual bool covers(int /*input_size*/) const { return true; }
};

}  // namespace lathe::accuracy
