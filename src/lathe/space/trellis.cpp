#include "lathe/space/trellis.h"

#include <stdexcept>
#include <string>
#include <tuple>

namespace lathe::space {
namespace {

constexpr std::uint64_t kMost = 1ULL << 31;

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("[space::Trellis] " + what);
}

void check_layers(std::span<const std::uint32_t> sizes, std::size_t steps) {
  if (steps == 0 || sizes.size() != steps + 1) {
    refuse("there must be a step, and one more layer than steps, got " +
           std::to_string(sizes.size()) + " layers and " + std::to_string(steps) + " steps");
  }
  if (sizes.front() != 1 || sizes.back() != 1) {
    refuse("the first and the last layer must have one state, got " +
           std::to_string(sizes.front()) + " and " + std::to_string(sizes.back()));
  }
  std::uint64_t states = 0;
  for (const std::uint32_t size : sizes) {
    if (size == 0) {
      refuse("every layer must have a state");
    }
    states += size;
  }
  if (states > kMost) {
    refuse("there must be at most 2^31 states, got " + std::to_string(states));
  }
}

void check_step(const std::vector<Transition>& step, std::uint32_t before, std::uint32_t after) {
  for (std::size_t k = 0; k < step.size(); ++k) {
    if (step[k].from >= before || step[k].to >= after) {
      refuse("transitions must be between states of their layers");
    }
    if (k > 0 && std::tie(step[k].to, step[k].from) < std::tie(step[k - 1].to, step[k - 1].from)) {
      refuse("transitions must ascend by to, then from");
    }
  }
}

}  // namespace

Trellis::Trellis(std::span<const std::uint32_t> layer_sizes,
                 std::span<const std::vector<Transition>> steps) {
  check_layers(layer_sizes, steps.size());
  std::uint64_t count = 0;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    check_step(steps[s], layer_sizes[s], layer_sizes[s + 1]);
    count += steps[s].size();
  }
  if (count > kMost) {
    refuse("there must be at most 2^31 transitions, got " + std::to_string(count));
  }
  first_state_.push_back(0);
  for (const std::uint32_t size : layer_sizes) {
    first_state_.push_back(first_state_.back() + size);
  }
  transitions_.reserve(count);
  first_transition_.push_back(0);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (const Transition& t : steps[s]) {
      transitions_.push_back({.from = first_state_[s] + t.from, .to = first_state_[s + 1] + t.to});
    }
    first_transition_.push_back(static_cast<std::uint32_t>(transitions_.size()));
  }
  first_leaving_.assign(num_states() + 1, 0);
  first_arriving_.assign(num_states() + 1, 0);
  for (const Transition& t : transitions_) {
    ++first_leaving_[t.from + 1];
    ++first_arriving_[t.to + 1];
  }
  for (std::uint32_t state = 0; state < num_states(); ++state) {
    first_leaving_[state + 1] += first_leaving_[state];
    first_arriving_[state + 1] += first_arriving_[state];
  }
  leaving_.resize(transitions_.size());
  std::vector<std::uint32_t> next(first_leaving_.begin(), first_leaving_.end() - 1);
  for (std::uint32_t t = 0; t < num_transitions(); ++t) {
    leaving_[next[transitions_[t].from]++] = t;
  }
}

void Trellis::require_one_each(std::size_t size, const char* function, const char* name) const {
  if (size != num_transitions()) {
    throw std::invalid_argument(
        "[" + std::string(function) + "] " + name + " must have a number for each of the " +
        std::to_string(num_transitions()) + " transitions, got " + std::to_string(size));
  }
}

}  // namespace lathe::space
