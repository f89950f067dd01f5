#include "lathe/search/cost_limits.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "lathe/core/error.h"
#include "lathe/graph/counts.h"

namespace lathe::search {
namespace {

constexpr double kBytesPerMb = 1e6;

void require_positive(const char* name, const std::optional<double>& limit) {
  if (limit && !(std::isfinite(*limit) && *limit > 0)) {
    throw std::invalid_argument("[search::CostLimits] constraints." + std::string(name) +
                                " must be > 0, got " + std::to_string(*limit));
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

double excess_over(double value, double limit) { return value > limit ? value / limit : 0.0; }

}  // namespace

CostLimits::CostLimits(const space::Space& space, const Constraints& constraints)
    : constraints_(constraints) {
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
}

bool CostLimits::allow(const space::Arch& arch) const {
  if ((macs_ && macs_->total(arch) > *constraints_.max_macs) ||
      (params_ && params_->total(arch) > *constraints_.max_params)) {
    return false;
  }
  for (std::size_t s = 0; memory_mb_ && s < memory_mb_->num_slots(); ++s) {
    if (memory_mb_->at(s, arch) > *constraints_.max_memory_mb) {
      return false;
    }
  }
  return true;
}

double CostLimits::excess(const space::Arch& arch) const {
  double excess = 0;
  for (const auto& [costs, limit] : additive()) {
    excess += excess_over(costs->total(arch), limit);
  }
  for (std::size_t s = 0; memory_mb_ && s < memory_mb_->num_slots(); ++s) {
    excess += excess_over(memory_mb_->at(s, arch), *constraints_.max_memory_mb);
  }
  return excess;
}

std::vector<std::pair<const space::SlotCosts*, double>> CostLimits::additive() const {
  std::vector<std::pair<const space::SlotCosts*, double>> limits;
  if (macs_) {
    limits.emplace_back(&*macs_, *constraints_.max_macs);
  }
  if (params_) {
    limits.emplace_back(&*params_, *constraints_.max_params);
  }
  return limits;
}

std::vector<double> CostLimits::without_forbidden(const space::SlotChain& chain,
                                                  std::vector<double> costs) const {
  const space::Trellis& trellis = chain.trellis();
  for (std::size_t s = 0; memory_mb_ && s < trellis.num_steps(); ++s) {
    for (std::uint32_t t = trellis.first_transition(s); t < trellis.first_transition(s + 1); ++t) {
      if (memory_mb_->table(s)[chain.entry(t)] > *constraints_.max_memory_mb) {
        costs[t] = std::numeric_limits<double>::infinity();
      }
    }
  }
  return costs;
}

}  // namespace lathe::search
