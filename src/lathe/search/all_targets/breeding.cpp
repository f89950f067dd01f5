#include "lathe/search/all_targets/breeding.h"

#include <cstdint>
#include <stdexcept>
#include <utility>

namespace lathe::search {
namespace {

const space::Arch& pick(std::span<const space::Arch* const> parents, Rng& rng) {
  return *parents[rng.below(static_cast<std::uint32_t>(parents.size()))];
}

}  // namespace

std::optional<TimedArch> breed(const Problem& problem, std::span<const space::Arch* const> parents,
                               double limit_ms,
                               const std::function<bool(const space::Arch&)>& known,
                               const BreedOptions& options, Rng& rng) {
  if (parents.empty()) {
    throw std::invalid_argument("[search::breed] parents must not be empty");
  }
  for (int i = 0; i < 2 * options.tries; ++i) {
    space::Arch child;
    if (i >= options.tries) {
      child = problem.space().sample(rng);
    } else if (rng.bernoulli(options.mutated_share)) {
      child = problem.space().mutate(pick(parents, rng), options.mutation_rate, rng);
    } else {
      const space::Arch& mother = pick(parents, rng);
      child = problem.space().crossover(mother, pick(parents, rng), rng);
    }
    if (known(child)) {
      continue;  // before its latency is predicted, which costs more
    }
    TimedArch timed = problem.repaired(std::move(child), limit_ms, rng);
    if (!known(timed.arch)) {
      return timed;
    }
  }
  return std::nullopt;
}

}  // namespace lathe::search
