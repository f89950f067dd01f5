#include "lathe/latency/fit/fit_sum_model.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/latency/fit/additive.h"
#include "lathe/latency/fit/ridge.h"
#include "lathe/latency/models/linear_model.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/space/same_net.h"

namespace lathe::latency {
namespace {

using Samples = std::span<const LatencySample>;

constexpr std::pair<SumModelKind, const char*> kKinds[] = {{SumModelKind::kAdditive, "additive"},
                                                           {SumModelKind::kRidge, "ridge"},
                                                           {SumModelKind::kLinear, "linear"}};

/// As Space::for_each_assignment() sees it.
bool blocks_can_be_listed(const space::Space& space) {
  return std::ranges::all_of(space.slots(), [&](const space::Slot& slot) {
    double assignments = 1.0;
    for (const int decision : slot.decisions) {
      assignments *= space.decisions()[static_cast<std::size_t>(decision)].num_choices();
    }
    return assignments <= 1e6;
  });
}

}  // namespace

std::string to_string(SumModelKind kind) {
  return std::ranges::find(kKinds, kind, [](const auto& k) { return k.first; })->second;
}

std::vector<std::string> sum_model_kinds() {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kKinds) {
    names.emplace_back(name);
  }
  return names;
}

std::optional<SumModelKind> sum_model_kind(const std::string& name) {
  for (const auto& [kind, known] : kKinds) {
    if (name == known) {
      return kind;
    }
  }
  return std::nullopt;
}

std::size_t min_samples(SumModelKind kind) {
  switch (kind) {
    case SumModelKind::kAdditive:
      return kMinAdditiveSamples;
    case SumModelKind::kRidge:
      return std::size_t{kMinRidgeSamples};
    case SumModelKind::kLinear:
      return kMinLinearSamples;
  }
  throw std::invalid_argument("[latency::min_samples] unknown kind");
}

std::unique_ptr<StoredLatencyModel> fit_sum_model(SumModelKind kind, const space::Space& space,
                                                  const Fingerprint& fingerprint, Samples samples,
                                                  std::uint64_t seed) {
  if (samples.size() < min_samples(kind)) {
    throw Error((kind == SumModelKind::kAdditive ? "an " : "a ") + to_string(kind) +
                " model needs at least " + std::to_string(min_samples(kind)) + " samples, got " +
                std::to_string(samples.size()));
  }
  if (kind == SumModelKind::kAdditive) {
    return std::make_unique<BlockTable>(
        fit_additive(space, fingerprint, samples, {.seed = seed}).table);
  }
  if (kind == SumModelKind::kRidge && blocks_can_be_listed(space)) {
    return std::make_unique<BlockTable>(fit_ridge(space, fingerprint, samples, {.seed = seed}));
  }
  return std::make_unique<LinearModel>(fit_linear_model(space, fingerprint, samples));
}

std::optional<ModelError> cross_validated_error(const FitLatencyFn& fit, const space::Space& space,
                                                Samples samples, int folds, std::uint64_t seed) {
  if (folds < 2) {
    throw std::invalid_argument("[latency::cross_validated_error] needs at least 2 folds, got " +
                                std::to_string(folds));
  }
  const std::vector<std::size_t> nets = number_nets(space, samples);
  if (regress::num_groups(nets) < static_cast<std::size_t>(folds)) {
    return std::nullopt;
  }
  std::vector<double> predicted(samples.size());
  for (const regress::Fold& fold : regress::grouped_folds(nets, folds, seed)) {
    const auto model = fit(regress::at_indices(samples, fold.train));
    if (model == nullptr) {
      return std::nullopt;
    }
    for (const std::size_t i : fold.test) {
      predicted[i] = model->predict_ms(samples[i].arch);
    }
  }
  std::vector<double> measured;
  for (const LatencySample& sample : samples) {
    measured.push_back(sample.median_ms);
  }
  return model_error(predicted, measured);
}

std::optional<ModelError> cross_validated_error(SumModelKind kind, const space::Space& space,
                                                Samples samples, int folds, std::uint64_t seed) {
  return cross_validated_error(
      [&](Samples train) {
        return train.size() < min_samples(kind) ? nullptr
                                                : fit_sum_model(kind, space, {}, train, seed);
      },
      space, samples, folds, seed);
}

}  // namespace lathe::latency
