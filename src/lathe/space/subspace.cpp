#include "lathe/space/subspace.h"

#include <cmath>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/hash.h"
#include "lathe/core/short_digits.h"
#include "lathe/space/slot_chain.h"

namespace lathe::space {
namespace {

constexpr int kFixed = -1;  // no decision of the part

std::string name_of(const Space& whole, const Arch& lowest, const Arch& highest) {
  std::vector<std::uint8_t> bounds = lowest.choices;
  bounds.insert(bounds.end(), highest.choices.begin(), highest.choices.end());
  return whole.name() + "[" + short_digits(fnv1a(bounds)) + "]";
}

/// Its input size is the lower net's where the part has no choice of a resolution.
Task task_of(const Space& whole, const Arch& lowest) {
  Task task = whole.task();
  task.input_size = whole.input_size(lowest);
  return task;
}

class Between final : public Subspace {
 public:
  Between(std::shared_ptr<const Space> whole, Arch lowest, Arch highest);

  bool alive(const Arch& arch, int i) const override {
    return whole_->alive(to_whole(arch), kept_[static_cast<std::size_t>(i)]);
  }
  double log10_num_nets() const override;
  std::vector<int> elastic_kernels() const override { return whole_->elastic_kernels(); }
  bool is_chain() const override { return whole_->is_chain(); }
  graph::Graph graph(const Arch& arch) const override { return whole_->graph(to_whole(arch)); }
  nlohmann::ordered_json to_json(const Arch& arch) const override {
    return whole_->to_json(to_whole(arch));
  }
  Arch from_json(const nlohmann::json& json, const std::string& where) const override;

  Arch to_whole(const Arch& arch) const override;
  Arch from_whole(const Arch& arch) const override;
  bool contains(const Arch& whole_arch) const override;
  const Space& whole() const override { return *whole_; }

 protected:
  std::vector<Block> slot_blocks(const Arch& arch, int s) const override {
    return whole_->blocks(to_whole(arch), s);
  }

 private:
  void keep_decisions();

  std::shared_ptr<const Space> whole_;
  Arch lowest_;
  Arch highest_;
  std::vector<int> kept_;      // of each decision here, its index in the whole
  std::vector<int> position_;  // of each decision of the whole, its index here or kFixed
};

Between::Between(std::shared_ptr<const Space> whole, Arch lowest, Arch highest)
    : Subspace(name_of(*whole, lowest, highest), task_of(*whole, lowest)),
      whole_(std::move(whole)),
      lowest_(std::move(lowest)),
      highest_(std::move(highest)),
      position_(lowest_.choices.size(), kFixed) {
  keep_decisions();
  const auto here = [&](const std::vector<int>& decisions) {
    std::vector<int> kept;
    for (const int i : decisions) {
      if (position_[static_cast<std::size_t>(i)] != kFixed) {
        kept.push_back(position_[static_cast<std::size_t>(i)]);
      }
    }
    return kept;
  };
  for (const std::vector<int>& gene : whole_->genes()) {
    if (std::vector<int> kept = here(gene); !kept.empty()) {
      genes_.push_back(std::move(kept));
    }
  }
  for (const Slot& slot : whole_->slots()) {
    slots_.push_back({.decisions = here(slot.decisions)});
  }
}

void Between::keep_decisions() {
  std::map<std::string, int> in_group;
  for (std::size_t i = 0; i < lowest_.choices.size(); ++i) {
    const Decision& decision = whole_->decisions()[i];
    const std::uint8_t low = lowest_.choices[i], high = highest_.choices[i];
    if (!whole_->alive(highest_, static_cast<int>(i))) {
      continue;
    }
    if (low > high) {
      throw std::invalid_argument(
          "[space::make_subspace] lowest must be at most highest, got choice " +
          std::to_string(low) + " above " + std::to_string(high) + " of " + decision.group + "[" +
          std::to_string(decision.index) + "]");
    }
    if (low == high) {
      continue;
    }
    position_[i] = static_cast<int>(kept_.size());
    kept_.push_back(static_cast<int>(i));
    decisions_.push_back(
        {.group = decision.group,
         .index = in_group[decision.group]++,
         .values = {decision.values.begin() + low, decision.values.begin() + high + 1}});
  }
}

double Between::log10_num_nets() const {
  // As many as there are paths through the slots, each resolution's alike.
  const SlotChain chain(*this);
  const Trellis& trellis = chain.trellis();
  std::vector<double> ways(trellis.num_states(), 0.0);
  ways.front() = 1.0;
  double exponent = 0;
  for (std::size_t s = 0; s < trellis.num_steps(); ++s) {
    double total = 0;
    for (std::uint32_t t = trellis.first_transition(s); t < trellis.first_transition(s + 1); ++t) {
      const Transition& transition = trellis.transition(t);
      ways[transition.to] += ways[transition.from];
      total += ways[transition.from];
    }
    for (std::uint32_t at = trellis.first_state(s + 1); at < trellis.first_state(s + 2); ++at) {
      ways[at] /= total;  // near 1, so that no space is too large
    }
    exponent += std::log10(total);
  }
  return exponent - std::log10(static_cast<double>(input_sizes().size()));
}

Arch Between::to_whole(const Arch& arch) const {
  check(arch);
  Arch whole = lowest_;
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    std::uint8_t& choice = whole.choices[static_cast<std::size_t>(kept_[i])];
    choice = static_cast<std::uint8_t>(choice + arch.choices[i]);
  }
  return whole_->canonical(std::move(whole));
}

bool Between::contains(const Arch& whole_arch) const {
  const Arch arch = whole_->canonical(whole_arch);
  for (std::size_t i = 0; i < arch.choices.size(); ++i) {
    if (whole_->alive(arch, static_cast<int>(i)) &&
        (arch.choices[i] < lowest_.choices[i] || arch.choices[i] > highest_.choices[i] ||
         !whole_->alive(highest_, static_cast<int>(i)))) {
      return false;
    }
  }
  return true;
}

Arch Between::from_whole(const Arch& arch) const {
  if (!contains(arch)) {
    throw std::invalid_argument("[space::Subspace::from_whole] " + whole_->to_json(arch).dump() +
                                " is not between the nets that bound " + name());
  }
  Arch here{std::vector<std::uint8_t>(kept_.size(), 0)};
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    const auto of_whole = static_cast<std::size_t>(kept_[i]);
    if (whole_->alive(arch, kept_[i])) {
      here.choices[i] =
          static_cast<std::uint8_t>(arch.choices[of_whole] - lowest_.choices[of_whole]);
    }
  }
  return here;
}

Arch Between::from_json(const nlohmann::json& json, const std::string& where) const {
  const Arch arch = whole_->from_json(json, where);
  if (!contains(arch)) {
    throw Error(where + ": is not among the nets that were trained, which are between " +
                whole_->to_json(whole_->canonical(lowest_)).dump() + " and " +
                whole_->to_json(whole_->canonical(highest_)).dump());
  }
  return from_whole(arch);
}

}  // namespace

std::shared_ptr<const Subspace> make_subspace(std::shared_ptr<const Space> whole,
                                              const Arch& lowest, const Arch& highest) {
  whole->check(lowest);
  whole->check(highest);
  return std::make_shared<const Between>(std::move(whole), lowest, highest);
}

NamedNet in_whole(const Space& space, const Arch& arch) {
  const auto* part = dynamic_cast<const Subspace*>(&space);
  return part == nullptr ? NamedNet{&space, arch} : NamedNet{&part->whole(), part->to_whole(arch)};
}

const Space& whole_of(const Space& space) {
  const auto* part = dynamic_cast<const Subspace*>(&space);
  return part == nullptr ? space : part->whole();
}

}  // namespace lathe::space
