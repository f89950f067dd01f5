// AOWS: slimmable training that draws the nets that may win under a latency target, the more surely
// the longer it goes on (Berman et al., CVPR 2020).
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "lathe/latency/models/latency_model.h"
#include "lathe/space/space.h"
#include "lathe/train/strategies/slimmable.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

/// Log-linear between points (share of the run, temperature), constant behind the last.
struct TemperatureSchedule {
  /// The paper's, for errors that are 1/n of a net's, n the number of widths: at epochs 5, 6, 10
  /// and 20 of 20 (supplement B), here shares of a run of any length.
  std::vector<std::pair<double, double>> points{{0.25, 1.0}, {0.3, 1e-2}, {0.5, 1e-3}, {1.0, 5e-4}};

  /// The first point's share: before it, widths are drawn uniformly.
  double start() const { return points.front().first; }
  double at(double share) const;
};

/// How the price of latency, gamma, follows from the target.
enum class PriceRule {
  kExpected,         ///< the expected latency of the nets that are drawn is the target
  kZeroTemperature,  ///< the paper's: the best net's latency is
};

struct AowsOptions {
  SlimmableOptions slimmable;
  /// Of the nets that are drawn, in the model's milliseconds. Of several, each random net is drawn
  /// for one of them, all equally often.
  std::vector<double> targets_ms;
  TemperatureSchedule temperature;
  PriceRule price = PriceRule::kExpected;
  std::int64_t steps_per_epoch = 1;  ///< for figures(), which are of one epoch
};

/// Until the temperature schedule starts, as make_slimmable(). From then on a random net has the
/// probability exp(-(error + gamma * latency) / temperature) / Z: errors by the widths' scores so
/// far, latency by the model, gamma solved anew after every step.
/// figures(): temperature; for each target gamma_per_ms and expected_latency_ms; within_5_percent,
/// the share of the epoch's random nets whose latency is within 5% of their target.
/// Differs in: temperatures are n times the paper's since errors are whole nets', see
/// WidthStatistics (the public code ties them to 1/14); a width that was never drawn is weighed as
/// the mean of its layer's; PriceRule::kExpected; several targets.
/// @throws std::invalid_argument as make_slimmable(), if there is no target, or the temperature
/// doesn't fall from a start within (0, 1); Error if the model isn't a sum over slots or doesn't
/// cover the space, or if a target is under what the fastest net takes, naming that, rounded up.
/// `space` must outlive the result.
std::unique_ptr<Strategy> make_aows(const space::Space& space, const latency::LatencyModel& latency,
                                    const AowsOptions& options);

}  // namespace lathe::train
