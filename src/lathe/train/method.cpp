#include "lathe/train/method.h"

#include <cmath>
#include <stdexcept>

#include "lathe/train/strategies/bignas.h"
#include "lathe/train/strategies/deps.h"
#include "lathe/train/strategies/grow.h"
#include "lathe/train/strategies/ofa.h"
#include "lathe/train/strategies/plain.h"

namespace lathe::train {

std::vector<std::string> method_names() { return {"deps", "ofa", "bignas", "grow", "plain"}; }

bool trains_supernet(const std::string& method) { return method != "plain"; }

std::unique_ptr<Strategy> make_strategy(const space::Space& space, const MethodOptions& o,
                                        std::int64_t total_steps, std::int64_t steps_per_epoch,
                                        const std::optional<space::Arch>& arch,
                                        std::uint64_t seed) {
  const CosineSchedule schedule{
      .peak = o.learning_rate,
      .total_steps = total_steps,
      .warmup_steps = std::llround(o.warmup_epochs * static_cast<double>(steps_per_epoch))};
  if (o.name == "deps") {
    return make_deps(space, {.schedule = schedule,
                             .warmup_share = o.warmup_share,
                             .ramp_share = o.ramp_share,
                             .epsilon_start = o.epsilon_start,
                             .in_place_distillation = o.in_place_distillation,
                             .random_subnets = o.random_subnets,
                             .draw = o.draw,
                             .seed = seed});
  }
  if (o.name == "ofa") {
    return make_ofa(space, {.phases = ofa_phases(space),
                            .total_steps = total_steps,
                            .learning_rate = o.learning_rate,
                            .seed = seed});
  }
  if (o.name == "bignas") {
    return make_bignas(
        space,
        {.schedule = schedule, .random_subnets = o.random_subnets, .draw = o.draw, .seed = seed});
  }
  if (o.name == "grow") {
    return make_grow(space, {.schedule = schedule,
                             .small_share = o.small_share,
                             .nets_per_step = o.nets_per_step,
                             .draw = o.draw,
                             .seed = seed});
  }
  if (o.name != "plain" || !arch) {
    throw std::invalid_argument(o.name == "plain"
                                    ? "[train::make_strategy] plain training needs an arch"
                                    : "[train::make_strategy] unknown method " + o.name);
  }
  return make_plain({.schedule = schedule, .arch = *arch});
}

}  // namespace lathe::train
