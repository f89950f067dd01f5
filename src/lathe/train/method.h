// Training methods by name, with the options that a command line or a preset gives them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/latency/models/latency_model.h"
#include "lathe/space/space.h"
#include "lathe/train/strategies/aows.h"
#include "lathe/train/strategies/small_images.h"
#include "lathe/train/strategies/step_archs.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

struct MethodOptions {
  std::string name = "deps";    ///< one of method_names()
  double epochs = 6;            ///< of the whole run; may be fractional
  double learning_rate = 0.15;  ///< peak; of Once-for-All's first phase
  double warmup_epochs = 0.2;   ///< of the learning rate; Once-for-All's phases have shares
  double final_share = 0;       ///< of the peak, at the end of a cosine; 1: a constant rate
  int random_subnets = 2;       ///< per step, beside the largest and the smallest; not of ofa
  double warmup_share = 0.5;    ///< deps, as DepsOptions
  double ramp_share = 0.1;      ///< deps
  double epsilon_start = 1e-4;  ///< deps
  bool in_place_distillation = false;      ///< deps
  double small_share = 0.6;                ///< grow, as GrowOptions
  int nets_per_step = 2;                   ///< grow
  double drop_path = 0;                    ///< plain, as PlainOptions
  SmallImages small_images;                ///< of all methods
  NetDraw draw;                            ///< of random nets; deps, bignas and grow
  WidthStatisticsOptions scores;           ///< slimmable and aows
  std::vector<double> targets_ms;          ///< aows
  TemperatureSchedule temperature;         ///< aows
  PriceRule price = PriceRule::kExpected;  ///< aows
};

/// {"deps", "ofa", "bignas", "grow", "plain", "slimmable", "aows"}.
std::vector<std::string> method_names();

/// Whether the method trains a supernet, or one net.
bool trains_supernet(const std::string& method);

/// `steps_per_epoch` of the data; `arch` is what "plain" trains, `latency` what "aows" goes by.
/// @throws std::invalid_argument if the name is unknown, plain has no arch, aows no latency model,
/// or as the method's own make function; Error as make_aows(). `space` must outlive the result.
std::unique_ptr<Strategy> make_strategy(const space::Space& space, const MethodOptions& options,
                                        std::int64_t total_steps, std::int64_t steps_per_epoch,
                                        const std::optional<space::Arch>& arch, std::uint64_t seed,
                                        const latency::LatencyModel* latency = nullptr);

}  // namespace lathe::train
