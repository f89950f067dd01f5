#include "lathe/search/all_targets/exchange_units.h"

#include <algorithm>
#include <utility>

namespace lathe::search {
namespace {

constexpr int kMaxOptions = 256;  // beyond, a slot's decisions are exchanged one by one

/// The last slot that sees each decision.
std::vector<std::size_t> last_slots(const space::Space& space) {
  std::vector<std::size_t> last(space.decisions().size(), 0);
  for (std::size_t s = 0; s < space.slots().size(); ++s) {
    for (const int i : space.slots()[s].decisions) {
      last[static_cast<std::size_t>(i)] = s;
    }
  }
  return last;
}

/// Whether two decisions of slot `s` are always alive or dead at the same time.
bool live_together(const space::Space& space, int s, std::size_t a, std::size_t b) {
  bool same = true;
  space.for_each_assignment(s, [&](const space::Arch& arch) {
    same = same && space.alive(arch, static_cast<int>(a)) == space.alive(arch, static_cast<int>(b));
  });
  return same;
}

}  // namespace

ExchangeUnits::ExchangeUnits(const space::Space& space, const space::SlotChain& chain)
    : space_(&space) {
  std::size_t effects = 0;
  for (const space::Decision& decision : space.decisions()) {
    first_effect_.push_back(effects);
    effects += decision.values.size();
  }
  const std::vector<std::size_t> last = last_slots(space);
  for (std::size_t s = 0; s < chain.trellis().num_steps(); ++s) {
    const std::size_t first_owned = units_.size();
    std::vector<std::size_t> own;
    int options = 1;
    for (const std::size_t i : chain.opened(s)) {
      const int choices = space.decisions()[i].num_choices();
      if (last[i] == s && options * choices <= kMaxOptions &&
          (own.empty() || live_together(space, static_cast<int>(s), own.front(), i))) {
        own.push_back(i);
        options *= choices;
      } else {
        add_unit({i});
      }
    }
    if (!own.empty()) {
      add_unit(std::move(own));
    }
    std::vector<std::size_t> owned;
    for (std::size_t u = first_owned; u < units_.size(); ++u) {
      owned.push_back(u);
    }
    add_terms(s, chain, owned);
  }
}

void ExchangeUnits::add_unit(std::vector<std::size_t> decisions) {
  Unit unit{.decisions = std::move(decisions), .num_options = 1, .first = size_};
  for (const std::size_t i : unit.decisions) {
    unit.num_options *= space_->decisions()[i].num_choices();
  }
  size_ += static_cast<std::size_t>(unit.num_options);
  units_.push_back(std::move(unit));
}

void ExchangeUnits::add_terms(std::size_t step, const space::SlotChain& chain,
                              std::span<const std::size_t> owned) {
  std::vector<std::vector<std::uint32_t>> of_entry;
  space_->for_each_assignment(static_cast<int>(step), [&](const space::Arch& arch) {
    of_entry.emplace_back();
    for (const std::size_t u : owned) {
      if (alive(arch, u)) {
        of_entry.back().push_back(
            static_cast<std::uint32_t>(first(u) + static_cast<std::size_t>(option(arch, u))));
      }
    }
  });
  const space::Trellis& trellis = chain.trellis();
  for (std::uint32_t t = trellis.first_transition(step); t < trellis.first_transition(step + 1);
       ++t) {
    const auto& pairs = of_entry[chain.entry(t)];
    terms_.insert(terms_.end(), pairs.begin(), pairs.end());
    first_term_.push_back(static_cast<std::uint32_t>(terms_.size()));
  }
}

bool ExchangeUnits::alive(const space::Arch& arch, std::size_t unit) const {
  return std::ranges::all_of(units_[unit].decisions, [&](std::size_t i) {
    return space_->alive(arch, static_cast<int>(i));
  });
}

int ExchangeUnits::option(const space::Arch& arch, std::size_t unit) const {
  int option = 0;
  for (const std::size_t i : units_[unit].decisions) {
    option = option * space_->decisions()[i].num_choices() + arch.choices[i];
  }
  return option;
}

space::Arch ExchangeUnits::exchanged(const space::Arch& arch, std::size_t unit, int option) const {
  space::Arch other = arch;
  const std::vector<std::size_t>& decisions = units_[unit].decisions;
  for (std::size_t at = decisions.size(); at-- > 0;) {
    const int choices = space_->decisions()[decisions[at]].num_choices();
    other.choices[decisions[at]] = static_cast<std::uint8_t>(option % choices);
    option /= choices;
  }
  return space_->canonical(std::move(other));
}

std::vector<float> ExchangeUnits::from_effects(std::span<const float> effects) const {
  std::vector<float> values(size_, 0.0F);
  for (const Unit& unit : units_) {
    for (int o = 0; o < unit.num_options; ++o) {
      int rest = o;
      for (std::size_t at = unit.decisions.size(); at-- > 0;) {
        const int choices = space_->decisions()[unit.decisions[at]].num_choices();
        values[unit.first + static_cast<std::size_t>(o)] +=
            effects[first_effect_[unit.decisions[at]] + static_cast<std::size_t>(rest % choices)];
        rest /= choices;
      }
    }
  }
  return values;
}

void ExchangeUnits::score_transitions(std::span<const float> values,
                                      std::vector<float>& scores) const {
  scores.assign(first_term_.size() - 1, 0.0F);
  for (std::size_t t = 0; t < scores.size(); ++t) {
    for (std::uint32_t k = first_term_[t]; k < first_term_[t + 1]; ++k) {
      scores[t] += values[terms_[k]];
    }
  }
}

}  // namespace lathe::search
