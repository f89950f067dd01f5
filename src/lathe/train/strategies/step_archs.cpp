#include "lathe/train/strategies/step_archs.h"

#include <utility>

namespace lathe::train {

StepArchs::StepArchs(const space::Space& space, std::uint64_t seed, std::uint64_t stream,
                     std::int64_t step, const NetDraw& draw)
    : space_(space),
      draw_(draw),
      rng_(Rng::derived(seed, {stream, static_cast<std::uint64_t>(step)})) {
  for (std::size_t i = 0; i < space.decisions().size(); ++i) {
    if (space.decisions()[i].group == "r") {
      decision_ = static_cast<int>(i);
      choice_ = static_cast<std::uint8_t>(
          rng_.below(static_cast<std::uint32_t>(space.decisions()[i].num_choices())));
    }
  }
}

space::Arch StepArchs::at_resolution(space::Arch arch) const {
  if (decision_ >= 0) {
    arch.choices[static_cast<std::size_t>(decision_)] = choice_;
  }
  return arch;
}

const NetDraw& StepArchs::uniform_draw() {
  static const NetDraw kUniform;
  return kUniform;
}

space::Arch StepArchs::sample() {
  return at_resolution(draw_.draw ? draw_.draw(rng_) : space_.sample(rng_));
}

space::Arch StepArchs::sample_from(const std::vector<std::uint8_t>& first_choices) {
  space::Arch arch = space_.largest();
  for (std::size_t i = 0; i < arch.choices.size(); ++i) {
    const auto first = static_cast<std::uint32_t>(first_choices.at(i));
    const auto count = static_cast<std::uint32_t>(space_.decisions()[i].num_choices());
    arch.choices[i] = static_cast<std::uint8_t>(first + rng_.below(count - first));
  }
  return space_.canonical(at_resolution(std::move(arch)));
}

void add_sandwich(std::vector<Pass>& passes, StepArchs& archs, int random_subnets, double weight) {
  const auto add = [&](space::Arch arch) {
    passes.push_back({.arch = std::move(arch), .losses = {{Target::kFirstPass, weight}}});
  };
  add(archs.smallest());
  for (int i = 0; i < random_subnets; ++i) {
    add(archs.sample());
  }
}

}  // namespace lathe::train
