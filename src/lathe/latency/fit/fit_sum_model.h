// Fits the latency models that are sums, over blocks or over choices, to whole-net measurements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/latency/models/stored_model.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/space/space.h"

namespace lathe::latency {

enum class SumModelKind {
  kAdditive,  ///< fit_additive(): AOWS's least squares over blocks
  kRidge,     ///< fit_ridge(), or fit_linear_model() where blocks can't be listed
  kLinear,    ///< fit_linear_model(): the plain ridge
};

/// `additive`, `ridge`, `linear`.
std::string to_string(SumModelKind kind);
std::vector<std::string> sum_model_kinds();
/// Nothing for another name.
std::optional<SumModelKind> sum_model_kind(const std::string& name);

/// Fewer samples than this are refused.
std::size_t min_samples(SumModelKind kind);

/// The model, not validated. `space` must outlive it.
/// @throws Error if there are too few samples for the kind, both numbers named;
/// std::invalid_argument if a latency is not > 0.
std::unique_ptr<StoredLatencyModel> fit_sum_model(SumModelKind kind, const space::Space& space,
                                                  const Fingerprint& fingerprint,
                                                  std::span<const LatencySample> samples,
                                                  std::uint64_t seed = 0);

/// A model fitted to these samples; null if they don't suffice.
using FitLatencyFn =
    std::function<std::unique_ptr<StoredLatencyModel>(std::span<const LatencySample>)>;

/// The error to expect of what `fit` gives: each of `folds` parts is predicted by a model fitted to
/// the others, all samples of a net (under any of its names) being in the same part. Nothing if
/// there are fewer nets than parts, or too few samples without one of them.
/// @throws std::invalid_argument if `folds` is less than 2 or a latency is not > 0.
std::optional<ModelError> cross_validated_error(const FitLatencyFn& fit, const space::Space& space,
                                                std::span<const LatencySample> samples, int folds,
                                                std::uint64_t seed = 0);

/// The same of fit_sum_model().
std::optional<ModelError> cross_validated_error(SumModelKind kind, const space::Space& space,
                                                std::span<const LatencySample> samples, int folds,
                                                std::uint64_t seed = 0);

}  // namespace lathe::latency
