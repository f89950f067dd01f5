#include "lathe/search/problem.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/graph/counts.h"
#include "lathe/search/reachable_range.h"

namespace lathe::search {
namespace {

constexpr double kBytesPerMb = 1e6;

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("[search::Problem] " + what);
}

void require_same_space(const char* what, const std::string& got, const std::string& expected) {
  if (got != expected) {
    refuse(std::string(what) + " must be of space " + expected + ", got one of " + got);
  }
}

void require_positive(const char* name, const std::optional<double>& limit) {
  if (limit && !(std::isfinite(*limit) && *limit > 0)) {
    refuse("constraints." + std::string(name) + " must be > 0, got " + std::to_string(*limit));
  }
}

/// A count of a graph for every block of the space, each distinct block counted once.
space::SlotCosts per_block(const space::Space& space, std::int64_t (*count)(const graph::Graph&)) {
  std::unordered_map<std::string, double> known;
  return {space, [&](const space::Block& block) {
            const auto [at, is_new] = known.try_emplace(block.key());
            if (is_new) {
              at->second = static_cast<double>(count(space::lower({&block, 1})));
            }
            return at->second;
          }};
}

/// Between two blocks a single tensor is alive, so the peak of a net is the largest of its blocks',
/// each with its input alive.
space::SlotCosts memory_mb_of_slots(const space::Space& space) {
  std::unordered_map<std::string, double> known;
  return space::SlotCosts::of_slots(space, [&](int s, const space::Arch& arch) {
    double peak = 0;
    for (const space::Block& block : space.blocks(arch, s)) {
      const auto [at, is_new] = known.try_emplace(block.key());
      if (is_new) {
        at->second =
            static_cast<double>(graph::peak_memory_bytes(space::lower({&block, 1}))) / kBytesPerMb;
      }
      peak = std::max(peak, at->second);
    }
    return peak;
  });
}

std::optional<space::SlotChain> chain_of(const space::Space& space) {
  try {
    return std::optional<space::SlotChain>(std::in_place, space);
  } catch (const Error&) {
    return std::nullopt;  // too entangled: searched as if latency were not additive
  }
}

/// Latency for a descent that must end in an allowed net: any other is slower than all of those,
/// and the further from allowed the slower.
class ConstrainedLatency : public latency::LatencyModel {
 public:
  ConstrainedLatency(const Problem& problem, std::function<double(const space::Arch&)> excess)
      : problem_(problem), excess_(std::move(excess)) {}

  double predict_ms(const space::Arch& arch) const override {
    const double excess = excess_(arch);
    return excess > 0 ? kForbiddenMs * (1 + excess) : problem_.latency_ms(arch);
  }
  const std::string& space_name() const override { return problem_.space().name(); }

 private:
  static constexpr double kForbiddenMs = 1e12;
  const Problem& problem_;
  std::function<double(const space::Arch&)> excess_;
};

double excess_over(double value, double limit) { return value > limit ? value / limit : 0.0; }

}  // namespace

Problem::Problem(const space::Space& space, const latency::LatencyModel& latency,
                 const accuracy::AccuracyPredictor& accuracy, const Constraints& constraints)
    : space_(&space),
      latency_(&latency),
      accuracy_(&accuracy),
      constraints_(constraints),
      latency_costs_(latency.slot_costs()) {
  require_same_space("the latency model", latency.space_name(), space.name());
  require_same_space("the accuracy predictor", accuracy.space_name(), space.name());
  require_positive("max_macs", constraints.max_macs);
  require_positive("max_params", constraints.max_params);
  require_positive("max_memory_mb", constraints.max_memory_mb);
  if (constraints.max_macs) {
    macs_ = per_block(space, graph::macs);
  }
  if (constraints.max_params) {
    params_ = per_block(space, graph::params);
  }
  if (constraints.max_memory_mb) {
    if (!space.is_chain()) {
      throw Error("space " + space.name() +
                  " can't be searched with a limit of memory: the blocks " +
                  "of its nets don't follow one another");
    }
    memory_mb_ = memory_mb_of_slots(space);
  }
  if (latency_costs_ != nullptr) {
    chain_ = chain_of(space);
  }
  if (chain_) {
    sampler_.emplace(chain_->trellis(), transition_latency_ms());
  }
  fastest_ = find_fastest();
}

std::vector<double> Problem::transition_latency_ms() const {
  std::vector<double> costs = chain_->costs(*latency_costs_);
  const space::Trellis& trellis = chain_->trellis();
  for (std::size_t s = 0; memory_mb_ && s < trellis.num_steps(); ++s) {
    for (std::uint32_t t = trellis.first_transition(s); t < trellis.first_transition(s + 1); ++t) {
      if (memory_mb_->table(s)[chain_->entry(t)] > *constraints_.max_memory_mb) {
        costs[t] = std::numeric_limits<double>::infinity();
      }
    }
  }
  return costs;
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

bool Problem::within_memory(const space::Arch& arch) const {
  for (std::size_t s = 0; s < memory_mb_->num_slots(); ++s) {
    if (memory_mb_->at(s, arch) > *constraints_.max_memory_mb) {
      return false;
    }
  }
  return true;
}

std::vector<std::pair<const space::SlotCosts*, double>> Problem::additive_constraints() const {
  std::vector<std::pair<const space::SlotCosts*, double>> limits;
  if (macs_) {
    limits.emplace_back(&*macs_, *constraints_.max_macs);
  }
  if (params_) {
    limits.emplace_back(&*params_, *constraints_.max_params);
  }
  return limits;
}

bool Problem::allowed(const space::Arch& arch) const {
  return (!macs_ || macs_->total(arch) <= *constraints_.max_macs) &&
         (!params_ || params_->total(arch) <= *constraints_.max_params) &&
         (!memory_mb_ || within_memory(arch));
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
  const ConstrainedLatency constrained(*this, [this](const space::Arch& arch) {
    double excess = 0;
    if (macs_) {
      excess += excess_over(macs_->total(arch), *constraints_.max_macs);
    }
    if (params_) {
      excess += excess_over(params_->total(arch), *constraints_.max_params);
    }
    for (std::size_t s = 0; memory_mb_ && s < memory_mb_->num_slots(); ++s) {
      excess += excess_over(memory_mb_->at(s, arch), *constraints_.max_memory_mb);
    }
    return excess;
  });
  TimedArch found = fastest_net(*space_, constrained);
  if (!allowed(found.arch)) {
    return std::nullopt;
  }
  return found;
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
