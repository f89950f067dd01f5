#include "lathe/search/published/pruning.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lathe::search {
namespace {

/// One group of decisions on its way to its smallest values.
struct Walk {
  std::string group;
  std::vector<std::size_t> decisions;
  int level = 0;  // choice that this round caps at; below 0: done
  std::size_t next = 0;
};

std::vector<Walk> walks_over(const space::Space& space) {
  std::vector<Walk> walks;
  for (std::size_t i = 0; i < space.decisions().size(); ++i) {
    const space::Decision& decision = space.decisions()[i];
    if (decision.group == "r") {
      continue;
    }
    auto walk = std::ranges::find(walks, decision.group, &Walk::group);
    if (walk == walks.end()) {
      walk = walks.insert(walk, {.group = decision.group, .decisions = {}});
    }
    walk->decisions.push_back(i);
    walk->level = std::max(walk->level, decision.num_choices() - 2);
  }
  return walks;
}

}  // namespace

space::Arch pruned_randomly(const Problem& problem, space::Arch genes, double limit_ms, Rng& rng) {
  while (!problem.fits(genes, limit_ms)) {
    const double now_ms = problem.latency_ms(genes);
    std::vector<std::size_t> shrinkable;
    for (std::size_t i = 0; i < genes.choices.size(); ++i) {
      if (genes.choices[i] == 0 || !problem.space().alive(genes, static_cast<int>(i))) {
        continue;
      }
      --genes.choices[i];
      if (problem.latency_ms(genes) <= now_ms) {
        shrinkable.push_back(i);
      }
      ++genes.choices[i];
    }
    if (shrinkable.empty()) {
      return problem.repaired(std::move(genes), limit_ms, rng).arch;
    }
    --genes.choices[shrinkable[rng.below(static_cast<std::uint32_t>(shrinkable.size()))]];
  }
  return genes;
}

space::Arch pruned_as_coded(const Problem& problem, space::Arch genes, double limit_ms, Rng& rng) {
  std::vector<Walk> walks = walks_over(problem.space());
  double now_ms = problem.latency_ms(genes);
  bool changed = false;
  while (!(changed && problem.fits(genes, limit_ms)) && !walks.empty()) {
    const auto drawn = walks.begin() + rng.below(static_cast<std::uint32_t>(walks.size()));
    if (drawn->next == drawn->decisions.size()) {
      drawn->next = 0;
      --drawn->level;
    }
    if (drawn->level < 0) {
      walks.erase(drawn);
      continue;
    }
    for (bool stepped = false; !stepped && drawn->next < drawn->decisions.size(); ++drawn->next) {
      std::uint8_t& choice = genes.choices[drawn->decisions[drawn->next]];
      if (choice <= drawn->level) {
        continue;
      }
      const std::uint8_t before = choice;
      choice = static_cast<std::uint8_t>(drawn->level);
      if (const double ms = problem.latency_ms(genes); ms <= now_ms) {
        now_ms = ms;
        stepped = true;
        changed = true;
      } else {
        choice = before;
      }
    }
  }
  return problem.fits(genes, limit_ms) ? genes
                                       : problem.repaired(std::move(genes), limit_ms, rng).arch;
}

}  // namespace lathe::search
