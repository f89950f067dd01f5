// One device's model made another's, from a few measurements there.
#pragma once

#include <memory>
#include <span>

#include "lathe/latency/models/stored_model.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/space/space.h"

namespace lathe::latency {

inline constexpr std::size_t kMinAdaptSamples = 5;

/// scale * model + offset, by the robust fit of fit_correction(); and where the model is a block
/// table and there are at least kMinRidgeSamples samples, the structured ridge (fit_ridge_on) of
/// what that leaves, whose strengths say how far the two devices differ beyond a factor. Of the
/// two, the one with the smaller error on nets left out in turn is kept; the scale alone where less
/// than five nets, or too few samples, would be left for that.
/// `device` is what the samples were measured under. Not validated.
/// `space` must outlive the result.
/// @throws std::invalid_argument with fewer than kMinAdaptSamples samples, or a latency that is not
/// > 0; Error as predict_ms().
/// @see Lee et al., "HELP: Hardware-Adaptive Efficient Latency Prediction" (NeurIPS 2021) for the
/// task.
std::unique_ptr<StoredLatencyModel> adapt(const StoredLatencyModel& model,
                                          const space::Space& space, const Fingerprint& device,
                                          std::span<const LatencySample> samples);

}  // namespace lathe::latency
