#include "lathe/latency/samples/sample_plan.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "lathe/core/error.h"
#include "lathe/space/min_sum.h"

namespace lathe::latency {
namespace {

constexpr std::uint64_t kUniformStream = 0x756e69;
constexpr std::uint64_t kBiasedStream = 0x626961;
constexpr double kJitter = 1e-3;

}  // namespace

BiasedSampler::BiasedSampler(const space::Space& space) : space_(&space), chain_(space) {
  const space::Trellis& trellis = chain_.trellis();
  for (int s = 0; s < static_cast<int>(space.slots().size()); ++s) {
    const auto step = static_cast<std::size_t>(s);
    for (std::uint32_t t = trellis.first_transition(step); t < trellis.first_transition(step + 1);
         ++t) {
      entry_of_transition_.push_back(of_entry_.size() + chain_.entry(t));
    }
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
  std::vector<double> of_entries;
  for (const std::vector<std::size_t>& blocks : of_entry_) {
    of_entries.push_back(kJitter * rng.uniform() -
                         static_cast<double>(std::ranges::count_if(
                             blocks, [&](std::size_t block) { return counts_[block] == least; })));
  }
  std::vector<double> energies;
  for (const std::size_t entry : entry_of_transition_) {
    energies.push_back(of_entries[entry]);
  }
  space::Arch arch = chain_.arch(space::min_sum(chain_.trellis(), energies)->path);
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
