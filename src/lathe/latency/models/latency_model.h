// How long a net takes, as far as a search needs to know it.
#pragma once

#include <span>
#include <string>

#include "lathe/space/arch.h"
#include "lathe/space/slot_costs.h"

namespace lathe::latency {

/// Predicts the latency of a space's nets. Implementations are thread-safe: all members are const,
/// and a prediction depends on the arch alone.
class LatencyModel {
 public:
  virtual ~LatencyModel() = default;

  /// Milliseconds for one run of the net at the batch size that the model was made for.
  /// @throws std::invalid_argument if `arch` is none of the space; Error if the model does not
  /// cover it.
  virtual double predict_ms(const space::Arch& arch) const = 0;

  /// The same for many at once: `out_ms[i]` is of `archs[i]`.
  /// @throws std::invalid_argument if the two differ in size; and as for one.
  virtual void predict_ms(std::span<const space::Arch> archs, std::span<double> out_ms) const;

  /// Where latency is a sum over the net's slots: its terms, NaN for what the model does not cover;
  /// null for other models. Searches draw nets that fit from it, and total it in nanoseconds. Lives
  /// as long as the model.
  virtual const space::SlotCosts* slot_costs() const { return nullptr; }

  /// The space whose archs it predicts.
  virtual const std::string& space_name() const = 0;

  /// Whether it can predict nets of this input size: a table may hold but a few.
  virtual bool covers(int /*input_size*/) const { return true; }
};

}  // namespace lathe::latency
