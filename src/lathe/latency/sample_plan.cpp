#include "lathe/latency/sample_plan.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "lathe/core/error.h"

namespace lathe::latency {
namespace {

constexpr std::uint64_t kUniformStream = 0x756e69;
constexpr std::uint64_t kBiasedStream = 0x626961;
constexpr double kJitter = 1e-3;

}  // namespace

BiasedSampler::BiasedSampler(const space::Space& space) : space_(&space), chain_(space) {
  for (int s = 0; s < static_cast<int>(space.slots().size()); ++s) {
    space.for_each_assignment(s, [&](const space::Arch& arch) {
      std::vector<std::size_t>& numbers = of_entry_.emplace_back();
      for (const space::Block& block : space.blocks(arch, s)) {
        numbers.push_back(by_key_.emplace(block.key(), by_key_.size()).first->second);
      }
    });
  }
  counts_.assign(by_key_.size(), 0);
}

int BiasedSampler::least_count() const {
  return counts_.empty() ? 0 : *std::min_element(counts_.begin(), counts_.end());
}

space::Arch BiasedSampler::next(Rng& rng) {
  const int least = least_count();
  std::size_t entry = 0;  // of_slots() asks for all entries in the order of of_entry_
  const auto energies = space::SlotCosts::of_slots(*space_, [&](int, const space::Arch&) {
    double energy = kJitter * rng.uniform();
    for (const std::size_t block : of_entry_[entry++]) {
      energy -= counts_[block] == least ? 1 : 0;
    }
    return energy;
  });
  space::Arch arch = chain_.minimum(energies).first;
  for (const space::Block& block : space_->blocks(arch)) {
    ++counts_[by_key_.at(block.key())];
  }
  return arch;
}

std::vector<space::Arch> sample_plan(const space::Space& space, const PlanOptions& options) {
  if (options.samples < 0) {
    throw std::invalid_argument("[latency::sample_plan] samples must be >= 0, got " +
                                std::to_string(options.samples));
  }
  std::vector<space::Arch> plan;
  if (options.biased) {
    BiasedSampler sampler(space);
    Rng rng = Rng::derived(options.seed, {kBiasedStream});
    for (int i = 0; i < options.samples; ++i) {
      plan.push_back(sampler.next(rng));
    }
    return plan;
  }
  Rng rng = Rng::derived(options.seed, {kUniformStream});
  for (int i = 0; i < options.samples; ++i) {
    plan.push_back(space.sample(rng));
  }
  return plan;
}

std::vector<space::Arch> part_of(std::span<const space::Arch> plan, const Shard& shard) {
  if (shard.index < 0 || shard.index >= shard.count) {
    throw std::invalid_argument("[latency::part_of] index must be in [0, count), got " +
                                std::to_string(shard.index) + " of " + std::to_string(shard.count));
  }
  std::vector<space::Arch> part;
  for (auto i = static_cast<std::size_t>(shard.index); i < plan.size();
       i += static_cast<std::size_t>(shard.count)) {
    part.push_back(plan[i]);
  }
  return part;
}

std::span<const space::Arch> remaining(std::span<const space::Arch> plan,
                                       std::span<const LatencySample> done,
                                       const std::string& where) {
  for (std::size_t i = 0; i < done.size(); ++i) {
    if (i == plan.size()) {
      return {};  // a shorter plan than the one before: nothing to do
    }
    if (done[i].arch != plan[i]) {
      throw Error(where + ": sample " + std::to_string(i + 1) +
                  " is another net than planned; give the same --seed, --biased, --shard and "
                  "resolutions as before, or name another file");
    }
  }
  return plan.subspan(done.size());
}

}  // namespace lathe::latency
