#include "lathe/search/published/evolution.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace lathe::search {

space::Arch published_mutant(const space::Space& space, const space::Arch& parent, double rate,
                             Rng& rng) {
  space::Arch child = parent;
  for (const std::vector<int>& gene : space.genes()) {
    if (rng.bernoulli(rate)) {
      for (const int decision : gene) {
        const auto i = static_cast<std::size_t>(decision);
        const int choices = space.decisions()[i].num_choices();
        child.choices[i] =
            static_cast<std::uint8_t>(rng.below(static_cast<std::uint32_t>(choices)));
      }
    }
  }
  return child;
}

space::Arch published_crossover(const space::Arch& mother, const space::Arch& father, Rng& rng) {
  space::Arch child = mother;
  for (std::size_t i = 0; i < child.choices.size(); ++i) {
    if (rng.bernoulli(0.5)) {
      child.choices[i] = father.choices[i];
    }
  }
  return child;
}

Evolution::Evolution(const Problem& problem, double limit_ms, const EvolutionOptions& options,
                     std::size_t candidates, const StoppingRule& rule, Evaluations& evaluations,
                     Rng& rng)
    : problem_(problem),
      limit_ms_(limit_ms),
      options_(options),
      capacity_(candidates),
      rule_(rule),
      evaluations_(evaluations),
      rng_(rng) {
  if (!problem.fastest() || !(problem.fastest()->predicted_ms <= limit_ms)) {
    throw std::invalid_argument("[search::Evolution] no allowed net is within limit_ms, got " +
                                std::to_string(limit_ms));
  }
}

void Evolution::add_random(int count) {
  std::vector<space::Arch> genes;
  for (int i = 0; i < count; ++i) {
    genes.push_back(problem_.sample_within(limit_ms_, rng_).arch);
  }
  join(std::move(genes));
}

void Evolution::add(std::vector<space::Arch> genes) { join(std::move(genes)); }

void Evolution::add(const std::vector<Member>& members) {
  for (const Member& member : members) {
    remember(member.evaluation);
    population_.push_back(member);
    if (ranking_.front() == member.evaluation) {
      best_member_ = member;
    }
  }
}

void Evolution::next_generation() {
  if (population_.empty()) {
    throw std::invalid_argument("[search::Evolution::next_generation] the population is empty");
  }
  select_parents();
  const auto mutants = static_cast<int>(std::lround(options_.mutation_ratio * options_.population));
  std::vector<space::Arch> children;
  for (int i = 0; i < options_.population; ++i) {
    children.push_back(child_within(i < mutants, rng_));
  }
  join(std::move(children));
}

// Among equals the youngest comes first, as in the published code.
void Evolution::select_parents() {
  const auto wanted = static_cast<std::size_t>(
      std::max(1L, std::lround(options_.parent_ratio * options_.population)));
  if (population_.size() <= wanted) {
    return;
  }
  std::ranges::reverse(population_);
  std::ranges::stable_sort(population_, std::ranges::greater{}, [this](const Member& member) {
    return evaluations_.all()[member.evaluation].predicted_accuracy;
  });
  population_.resize(wanted);
}

space::Arch Evolution::child_within(bool mutated, Rng& rng) const {
  const auto size = static_cast<std::uint32_t>(population_.size());
  const space::Arch& parent = population_[rng.below(size)].genes;
  const space::Arch& other = mutated ? parent : population_[rng.below(size)].genes;
  space::Arch child;
  for (int tries = 0; tries < kRedraws; ++tries) {
    child = mutated ? published_mutant(problem_.space(), parent, options_.mutation_prob, rng)
                    : published_crossover(parent, other, rng);
    if (problem_.fits(child, limit_ms_)) {
      return child;
    }
  }
  return problem_.repaired(std::move(child), limit_ms_, rng).arch;
}

void Evolution::join(std::vector<space::Arch> genes) {
  std::vector<TimedArch> nets;
  for (const space::Arch& arch : genes) {
    space::Arch canonical = problem_.space().canonical(arch);
    const double predicted_ms = problem_.latency_ms(canonical);
    nets.push_back({.arch = std::move(canonical), .predicted_ms = predicted_ms});
  }
  // A target must have an answer, whatever the rule says.
  const std::int64_t least = ranking_.empty() ? 1 : 0;
  const auto positions =
      evaluations_.evaluate(nets, std::max(least, rule_.left(evaluations_.count())));
  for (std::size_t i = 0; i < genes.size(); ++i) {
    if (positions[i] == Evaluations::kNotEvaluated) {
      continue;
    }
    remember(positions[i]);
    population_.push_back({.genes = std::move(genes[i]), .evaluation = positions[i]});
    if (ranking_.front() == positions[i]) {
      best_member_ = population_.back();
    }
  }
}

void Evolution::remember(std::size_t evaluation) {
  const std::vector<Candidate>& all = evaluations_.all();
  const auto before = [&](std::size_t a, std::size_t b) { return better(all[a], all[b]); };
  if (ranking_.size() == capacity_ && !before(evaluation, ranking_.back())) {
    return;
  }
  const auto place = std::ranges::lower_bound(ranking_, evaluation, before);
  if (place != ranking_.end() && *place == evaluation) {
    return;
  }
  ranking_.insert(place, evaluation);
  if (ranking_.size() > capacity_) {
    ranking_.pop_back();
  }
}

std::vector<Candidate> Evolution::candidates() const {
  std::vector<Candidate> best;
  for (const std::size_t evaluation : ranking_) {
    best.push_back(evaluations_.all()[evaluation]);
  }
  return best;
}

bool Evolution::stopped() const { return rule_.stops(evaluations_.count()); }

}  // namespace lathe::search
