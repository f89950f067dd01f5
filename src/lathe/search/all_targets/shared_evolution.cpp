#include "lathe/search/all_targets/shared_evolution.h"

#include <algorithm>
#include <stdexcept>
#include <unordered_set>
#include <utility>

namespace lathe::search {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("[search::SharedEvolution] " + what);
}

void require_at_least(const char* name, int value, int least) {
  if (value < least) {
    refuse(std::string(name) + " must be >= " + std::to_string(least) + ", got " +
           std::to_string(value));
  }
}

void require_probability(const char* name, double value) {
  if (!(value >= 0 && value <= 1)) {
    refuse(std::string(name) + " must be in [0, 1], got " + std::to_string(value));
  }
}

std::vector<double> checked(const Problem& problem, std::vector<double> targets_ms,
                            const SharedEvolutionOptions& options) {
  require_at_least("population", options.population, 1);
  require_at_least("parents", options.parents, 1);
  require_at_least("ranked", options.ranked, options.parents);
  require_at_least("breed.tries", options.breed.tries, 1);
  require_probability("breed.mutation_rate", options.breed.mutation_rate);
  require_probability("breed.mutated_share", options.breed.mutated_share);
  if (targets_ms.empty()) {
    refuse("targets_ms must not be empty");
  }
  if (!problem.fastest() || !(problem.fastest()->predicted_ms <= targets_ms.front())) {
    refuse("targets_ms must not be below the fastest net, got " +
           std::to_string(targets_ms.front()));
  }
  return targets_ms;
}

}  // namespace

SharedEvolution::SharedEvolution(const Problem& problem, std::vector<double> targets_ms,
                                 const SharedEvolutionOptions& options, Rng rng)
    : problem_(problem),
      options_(options),
      rng_(rng),
      archive_(checked(problem, std::move(targets_ms), options),
               static_cast<std::size_t>(options.ranked)) {}

bool SharedEvolution::step(std::int64_t max_evaluations) {
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(0, max_evaluations));
  const std::size_t added =
      evaluate(generation_ends_.empty() ? first_batch(most) : offspring(most));
  generation_ends_.push_back(archive_.all().size());
  return added > 0;
}

std::vector<TimedArch> SharedEvolution::first_batch(std::size_t most) {
  std::vector<TimedArch> batch;
  std::unordered_set<space::Arch> drawn;
  const auto take = [&](TimedArch net) {
    if (batch.size() < most && drawn.insert(net.arch).second) {
      batch.push_back(std::move(net));
    }
  };
  take(*problem_.fastest());
  const space::Arch smallest = problem_.space().smallest();
  if (problem_.allowed(smallest)) {
    take({.arch = smallest, .predicted_ms = problem_.latency_ms(smallest)});
  }
  const std::vector<double>& targets_ms = archive_.limits_ms();
  for (int i = 0; i < options_.population; ++i) {
    const double limit_ms = targets_ms[static_cast<std::size_t>(i) % targets_ms.size()];
    take(problem_.repaired(problem_.space().sample(rng_), limit_ms, rng_));
  }
  return batch;
}

std::vector<TimedArch> SharedEvolution::offspring(std::size_t most) {
  const std::vector<double>& targets_ms = archive_.limits_ms();
  std::vector<std::vector<const space::Arch*>> parents;
  for (std::size_t t = 0; t < targets_ms.size(); ++t) {
    parents.push_back(parents_of(t));
  }
  std::vector<TimedArch> batch;
  std::unordered_set<space::Arch> drawn;
  const auto known = [&](const space::Arch& arch) {
    return archive_.contains(arch) || drawn.contains(arch);
  };
  const auto population = static_cast<std::size_t>(options_.population);
  for (std::size_t i = 0; i < population && batch.size() < most; ++i) {
    const std::size_t turn = (i + generation_ends_.size()) % targets_ms.size();
    auto child = breed(problem_, parents[turn], targets_ms[turn], known, options_.breed, rng_);
    if (child) {
      drawn.insert(child->arch);
      batch.push_back(std::move(*child));
    }
  }
  return batch;
}

std::vector<const space::Arch*> SharedEvolution::parents_of(std::size_t target) const {
  std::vector<const space::Arch*> parents;
  for (const std::size_t index : archive_.ranking(target)) {
    if (parents.size() < static_cast<std::size_t>(options_.parents)) {
      parents.push_back(&archive_[index].arch);
    }
  }
  return parents;
}

std::size_t SharedEvolution::evaluate(const std::vector<TimedArch>& batch) {
  std::vector<space::Arch> archs;
  for (const TimedArch& net : batch) {
    archs.push_back(net.arch);
  }
  std::vector<double> accuracies(archs.size());
  problem_.predict_accuracy(archs, accuracies);
  std::size_t added = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    added += archive_.add({.arch = std::move(archs[i]),
                           .predicted_ms = batch[i].predicted_ms,
                           .predicted_accuracy = accuracies[i]})
                 ? 1
                 : 0;
  }
  return added;
}

std::string SharedEvolution::provenance(std::size_t index) const {
  const auto end = std::ranges::upper_bound(generation_ends_, index);
  return "in generation " + std::to_string(end - generation_ends_.begin()) + ", prediction " +
         std::to_string(index + 1);
}

}  // namespace lathe::search
