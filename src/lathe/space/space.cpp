#include "lathe/space/space.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>

#include "lathe/core/error.h"
#include "lathe/core/json_fields.h"

namespace lathe::space {
namespace {

constexpr const char* kResolutionGroup = "r";
constexpr double kMaxAssignments = 1e6;

std::string list_of(const std::vector<double>& values) {
  std::string text;
  for (double value : values) {
    text += (text.empty() ? "" : ", ") + json_number(value).dump();
  }
  return text;
}

std::uint8_t random_choice(const Decision& decision, Rng& rng) {
  return static_cast<std::uint8_t>(rng.below(static_cast<std::uint32_t>(decision.num_choices())));
}

}  // namespace

void Space::check(const Arch& arch) const {
  if (arch.choices.size() != decisions_.size()) {
    throw std::invalid_argument("[space::Space] an arch of " + name_ + " has " +
                                std::to_string(decisions_.size()) + " choices, got " +
                                std::to_string(arch.choices.size()));
  }
  for (std::size_t i = 0; i < decisions_.size(); ++i) {
    if (arch.choices[i] >= decisions_[i].num_choices()) {
      throw std::invalid_argument("[space::Space] choice " + std::to_string(i) + " of " + name_ +
                                  " must be below " + std::to_string(decisions_[i].num_choices()) +
                                  ", got " + std::to_string(arch.choices[i]));
    }
  }
}

double Space::value(const Arch& arch, int i) const {
  const auto at = static_cast<std::size_t>(i);
  return decisions_[at].values[arch.choices[at]];
}

int Space::input_size(const Arch& arch) const {
  for (std::size_t i = decisions_.size(); i-- > 0;) {
    if (decisions_[i].group == kResolutionGroup) {
      return static_cast<int>(value(arch, static_cast<int>(i)));
    }
  }
  return task_.input_size;
}

std::vector<int> Space::input_sizes() const {
  for (const Decision& decision : decisions_) {
    if (decision.group == kResolutionGroup) {
      return {decision.values.begin(), decision.values.end()};
    }
  }
  return {task_.input_size};
}

std::vector<Block> Space::blocks(const Arch& arch, int s) const {
  check(arch);
  if (s < 0 || s >= static_cast<int>(slots_.size())) {
    throw std::invalid_argument("[space::Space::blocks] slot of " + name_ + " must be below " +
                                std::to_string(slots_.size()) + ", got " + std::to_string(s));
  }
  return slot_blocks(arch, s);
}

std::vector<Block> Space::blocks(const Arch& arch) const {
  check(arch);
  std::vector<Block> net;
  for (int s = 0; s < static_cast<int>(slots_.size()); ++s) {
    std::ranges::move(slot_blocks(arch, s), std::back_inserter(net));
  }
  return net;
}

void Space::for_each_assignment(int s, const std::function<void(const Arch&)>& visit) const {
  const std::vector<int>& scope = slots_.at(static_cast<std::size_t>(s)).decisions;
  double assignments = 1;
  for (const int i : scope) {
    assignments *= decisions_[static_cast<std::size_t>(i)].num_choices();
  }
  if (assignments > kMaxAssignments) {
    throw Error("space " + name_ + " has too many different blocks to list them; use a latency " +
                "model that is fitted to whole nets");
  }
  Arch arch{std::vector<std::uint8_t>(decisions_.size(), 0)};
  for (auto left = static_cast<std::int64_t>(assignments); left > 0; --left) {
    visit(arch);
    for (std::size_t at = scope.size(); at-- > 0;) {  // counts up, the last digit first
      const auto i = static_cast<std::size_t>(scope[at]);
      arch.choices[i] = static_cast<std::uint8_t>(arch.choices[i] + 1);
      if (arch.choices[i] < decisions_[i].num_choices()) {
        break;
      }
      arch.choices[i] = 0;
    }
  }
}

std::vector<Block> Space::distinct_blocks() const {
  std::vector<Block> distinct;
  std::set<std::string> seen;
  for (int s = 0; s < static_cast<int>(slots_.size()); ++s) {
    for_each_assignment(s, [&](const Arch& arch) {
      for (Block& block : slot_blocks(arch, s)) {
        if (seen.insert(block.key()).second) {
          distinct.push_back(std::move(block));
        }
      }
    });
  }
  return distinct;
}

Arch Space::canonical(Arch arch) const {
  check(arch);
  const Arch given = arch;
  for (std::size_t i = 0; i < arch.choices.size(); ++i) {
    if (!alive(given, static_cast<int>(i))) {
      arch.choices[i] = 0;
    }
  }
  return arch;
}

Arch Space::sample(Rng& rng) const {
  Arch arch;
  for (const Decision& decision : decisions_) {
    arch.choices.push_back(random_choice(decision, rng));
  }
  return canonical(std::move(arch));
}

Arch Space::mutate(const Arch& arch, double rate, Rng& rng) const {
  check(arch);
  Arch child = arch;
  for (const std::vector<int>& gene : genes_) {
    if (rng.bernoulli(rate)) {
      for (int i : gene) {
        const auto at = static_cast<std::size_t>(i);
        child.choices[at] = random_choice(decisions_[at], rng);
      }
    }
  }
  return canonical(std::move(child));
}

Arch Space::crossover(const Arch& a, const Arch& b, Rng& rng) const {
  check(a);
  check(b);
  Arch child = a;
  for (const std::vector<int>& gene : genes_) {
    if (rng.bernoulli(0.5)) {
      for (int i : gene) {
        const auto at = static_cast<std::size_t>(i);
        child.choices[at] = b.choices[at];
      }
    }
  }
  return canonical(std::move(child));
}

Arch Space::smallest() const {
  return canonical(Arch{std::vector<std::uint8_t>(decisions_.size(), 0)});
}

Arch Space::largest() const {
  Arch arch;
  for (const Decision& decision : decisions_) {
    arch.choices.push_back(static_cast<std::uint8_t>(decision.num_choices() - 1));
  }
  return canonical(std::move(arch));
}

int Space::encoding_size() const {
  int size = 0;
  for (const Decision& decision : decisions_) {
    size += decision.num_choices();
  }
  return size;
}

std::vector<float> Space::encode(const Arch& arch) const {
  check(arch);
  std::vector<float> bits(static_cast<std::size_t>(encoding_size()), 0.0F);
  std::size_t offset = 0;
  for (std::size_t i = 0; i < decisions_.size(); ++i) {
    if (alive(arch, static_cast<int>(i))) {
      bits[offset + arch.choices[i]] = 1.0F;
    }
    offset += decisions_[i].values.size();
  }
  return bits;
}

nlohmann::ordered_json Space::to_json(const Arch& arch) const {
  check(arch);
  nlohmann::ordered_json json{{"space", name_}};
  for (std::size_t i = 0; i < decisions_.size(); ++i) {
    if (decisions_[i].group != kResolutionGroup) {
      json[decisions_[i].group].push_back(json_number(value(arch, static_cast<int>(i))));
    }
  }
  json[kResolutionGroup] = input_size(arch);
  return json;
}

Arch Space::from_json(const nlohmann::json& json, const std::string& where) const {
  if (!json.is_object()) {
    throw Error(where + ": expected an arch, a JSON object such as " + to_json(largest()).dump() +
                ", got " + std::string(json.type_name()));
  }
  if (json.contains("space") && json["space"] != name_) {
    throw Error(where + ": is an arch of space " + json["space"].dump() + ", expected \"" + name_ +
                "\"; name its own with --space");
  }
  Arch arch{std::vector<std::uint8_t>(decisions_.size(), 0)};
  std::map<std::string, std::size_t> expected{{kResolutionGroup, 0}};
  for (std::size_t i = 0; i < decisions_.size(); ++i) {
    const Decision& decision = decisions_[i];
    const std::size_t position = expected[decision.group]++;
    nlohmann::json given;
    if (decision.group == kResolutionGroup) {
      given = json.value(kResolutionGroup, nlohmann::json(task_.input_size));
    } else if (!json.contains(decision.group) || !json[decision.group].is_array()) {
      throw Error(where + ": missing list \"" + decision.group + "\" of an arch of " + name_);
    } else if (position < json[decision.group].size()) {
      given = json[decision.group][position];
    } else {
      continue;  // the list is too short, which is reported below with both lengths
    }
    const auto found =
        given.is_number()
            ? std::find_if(decision.values.begin(), decision.values.end(),
                           [&](double v) { return std::abs(v - given.get<double>()) < 1e-9; })
            : decision.values.end();
    if (found == decision.values.end()) {
      const std::string at =
          decision.group == kResolutionGroup ? "" : "[" + std::to_string(position) + "]";
      throw Error(where + ": \"" + decision.group + "\"" + at + " must be one of " +
                  list_of(decision.values) + ", got " + given.dump());
    }
    arch.choices[i] = static_cast<std::uint8_t>(found - decision.values.begin());
  }
  for (const auto& [key, member] : json.items()) {
    if (key == "space") {
      continue;
    }
    if (!expected.contains(key)) {
      throw Error(where + ": unknown key \"" + key + "\" for an arch of " + name_);
    }
    if (key == kResolutionGroup && expected[key] == 0 && member != task_.input_size) {
      throw Error(where + ": \"r\" must be " + std::to_string(task_.input_size) + ", got " +
                  member.dump());
    }
    if (key != kResolutionGroup && member.size() != expected[key]) {
      throw Error(where + ": \"" + key + "\" needs " + std::to_string(expected[key]) +
                  " values, got " + std::to_string(member.size()));
    }
  }
  return canonical(std::move(arch));
}

}  // namespace lathe::space
