#include "lathe/search/problem.h"

#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/search/reachable_range.h"

namespace lathe::search {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("[search::Problem] " + what);
}

void require_same_space(const char* what, const std::string& got, const std::string& expected) {
  if (got != expected) {
    refuse(std::string(what) + " must be of space " + expected + ", got one of " + got);
  }
}

std::optional<space::SlotChain> chain_of(const space::Space& space) {
  try {
    return std::optional<space::SlotChain>(std::in_place, space);
  } catch (const Error&) {
    return std::nullopt;  // too entangled: searched as if latency were not additive
  }
}

}  // namespace

Problem::Problem(const space::Space& space, const latency::LatencyModel& latency,
                 const accuracy::AccuracyPredictor& accuracy, const Constraints& constraints)
    : space_(&space),
      latency_(&latency),
      accuracy_(&accuracy),
      limits_(space, constraints),
      latency_costs_(latency.slot_costs()) {
  require_same_space("the latency model", latency.space_name(), space.name());
  require_same_space("the accuracy predictor", accuracy.space_name(), space.name());
  if (latency_costs_ != nullptr) {
    chain_ = chain_of(space);
  }
  if (chain_) {
    sampler_.emplace(chain_->trellis(), transition_latency_ms());
  }
  fastest_ = find_fastest();
}

double Problem::latency_ms(const space::Arch& arch) const {
  if (latency_costs_ != nullptr) {
    const double ms = latency_costs_->total(arch);
    if (!std::isnan(ms)) {
      return ms;
    }
  }
  return latency_->predict_ms(arch);  // which says what it doesn't cover
}

std::optional<TimedArch> Problem::find_fastest() const {
  if (sampler_) {
    const std::optional<space::Path> cheapest = sampler_->cheapest();
    if (!cheapest) {
      return std::nullopt;
    }
    const space::Arch arch = chain_->arch(*cheapest);
    if (allowed(arch)) {
      return TimedArch{.arch = arch, .predicted_ms = latency_ms(arch)};
    }
  }
  return fastest_within(
      *space_, [this](const space::Arch& arch) { return latency_ms(arch); }, limits_);
}

void Problem::require_feasible(const char* function, double limit_ms) const {
  if (!fastest_ || !(fastest_->predicted_ms <= limit_ms)) {
    throw std::invalid_argument(
        "[search::Problem::" + std::string(function) + "] limit_ms must be at least " +
        (fastest_ ? std::to_string(fastest_->predicted_ms) : std::string("an allowed net's")) +
        ", got " + std::to_string(limit_ms));
  }
}

TimedArch Problem::sample_within(double limit_ms, Rng& rng) const {
  require_feasible("sample_within", limit_ms);
  return repaired(sampler_ ? chain_->arch(sampler_->sample(limit_ms, rng)) : space_->sample(rng),
                  limit_ms, rng);
}

TimedArch Problem::repaired(space::Arch arch, double limit_ms, Rng& rng) const {
  require_feasible("repaired", limit_ms);
  const auto accept = [&](const space::Arch& net) -> std::optional<double> {
    const double ms = latency_ms(net);
    return ms <= limit_ms && allowed(net) ? std::optional(ms) : std::nullopt;
  };
  return repair(*space_, accept, std::move(arch), *fastest_, rng);
}

}  // namespace lathe::search
