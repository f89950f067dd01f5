#include "lathe/train/method.h"

#include <cmath>
#include <stdexcept>
#include <utility>

#include "lathe/train/strategies/bignas.h"
#include "lathe/train/strategies/deps.h"
#include "lathe/train/strategies/grow.h"
#include "lathe/train/strategies/ofa.h"
#include "lathe/train/strategies/plain.h"
#include "lathe/train/strategies/slimmable.h"

namespace lathe::train {

std::vector<std::string> method_names() {
  return {"deps", "ofa", "bignas", "grow", "plain", "slimmable", "aows"};
}

bool trains_supernet(const std::string& method) { return method != "plain"; }

namespace {

std::unique_ptr<Strategy> make_method(const space::Space& space, const MethodOptions& o,
                                      std::int64_t total_steps, std::int64_t steps_per_epoch,
                                      const std::optional<space::Arch>& arch, std::uint64_t seed,
                                      const latency::LatencyModel* latency) {
  const CosineSchedule schedule{
      .peak = o.learning_rate,
      .total_steps = total_steps,
      .warmup_steps = std::llround(o.warmup_epochs * static_cast<double>(steps_per_epoch)),
      .final_share = o.final_share};
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
  const SlimmableOptions slimmable{
      .schedule = schedule, .random_subnets = o.random_subnets, .scores = o.scores, .seed = seed};
  if (o.name == "slimmable") {
    return make_slimmable(space, slimmable);
  }
  if (o.name == "aows") {
    if (latency == nullptr) {
      throw std::invalid_argument("[train::make_strategy] aows needs a latency model");
    }
    return make_aows(space, *latency,
                     {.slimmable = slimmable,
                      .targets_ms = o.targets_ms,
                      .temperature = o.temperature,
                      .price = o.price,
                      .steps_per_epoch = steps_per_epoch});
  }
  if (o.name != "plain" || !arch) {
    throw std::invalid_argument(o.name == "plain"
                                    ? "[train::make_strategy] plain training needs an arch"
                                    : "[train::make_strategy] unknown method " + o.name);
  }
  return make_plain({.schedule = schedule,
                     .arch = *arch,
                     .image_size = space.input_size(*arch),
                     .drop_path = o.drop_path});
}

}  // namespace

std::unique_ptr<Strategy> make_strategy(const space::Space& space, const MethodOptions& options,
                                        std::int64_t total_steps, std::int64_t steps_per_epoch,
                                        const std::optional<space::Arch>& arch, std::uint64_t seed,
                                        const latency::LatencyModel* latency) {
  auto method = make_method(space, options, total_steps, steps_per_epoch, arch, seed, latency);
  return options.small_images.any()
             ? with_small_images(std::move(method), space, options.small_images)
             : std::move(method);
}

}  // namespace lathe::train
