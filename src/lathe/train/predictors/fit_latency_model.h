// Fits any kind of latency model to whole-net measurements.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/latency/models/stored_model.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/space/space.h"
#include "lathe/train/predictors/latency_perceptron.h"

namespace lathe::train {

enum class LatencyModelKind {
  kAdditive,    ///< latency::fit_additive(): AOWS's least squares over blocks
  kRidge,       ///< latency::fit_ridge(), or fit_linear_model() where blocks can't be listed
  kLinear,      ///< latency::fit_linear_model(): the plain ridge
  kPerceptron,  ///< over the encoding: the latency prediction module of LA-DARTS
  kResidual,    ///< the ridge, and a perceptron for what it leaves: fit_residual_perceptron()
};

/// `additive`, `ridge`, `linear`, `perceptron`, `residual`.
std::string to_string(LatencyModelKind kind);
std::vector<std::string> latency_model_kinds();
/// @throws std::invalid_argument for another name.
LatencyModelKind latency_model_kind(const std::string& name);

struct FitLatencyOptions {
  std::optional<FitPerceptronOptions> perceptron;  ///< empty: fast_latency_perceptron()
  std::uint64_t seed = 0;
};

/// Fewer samples than this are refused, whatever the kind.
inline constexpr std::size_t kMinLatencySamples = 10;
inline constexpr std::size_t kMinPerceptronSamples = 50;

/// The model, not validated. `space` must outlive it.
/// @throws Error if there are too few samples (for a residual model also: nets) for the kind, both
/// numbers named;
/// std::invalid_argument if a latency is not > 0.
std::unique_ptr<latency::StoredLatencyModel> fit_latency_model(
    LatencyModelKind kind, const space::Space& space, const latency::Fingerprint& fingerprint,
    std::span<const latency::LatencySample> samples, const FitLatencyOptions& options = {});

/// The error to expect of the above: each of `folds` parts is predicted by a model fitted to the
/// others, all samples of a net (under any of its names) being in the same part. Nothing if there
/// are fewer nets than parts, or too few samples without one of them.
/// @throws std::invalid_argument if `folds` is less than 2 or a latency is not > 0.
std::optional<latency::ModelError> cross_validated_error(
    LatencyModelKind kind, const space::Space& space,
    std::span<const latency::LatencySample> samples, int folds,
    const FitLatencyOptions& options = {});

}  // namespace lathe::train
