// How a run spends the time that it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lathe/train/strategies/small_images.h"

namespace lathe::run {

/// A net that could be the largest of a run.
struct SizedNet {
  double params = 0;
  train::StepSeconds step_s;  ///< a training step of it alone
};

/// What is known once the device is measured and a few steps were tried.
struct PlanInputs {
  double seconds_left = 0;     ///< of the budget
  std::vector<SizedNet> nets;  ///< ascending; the first is the smallest, which is trained at least
  double evaluation_s = 0;     ///< one net on the validation images, batch norm recalibrated
  double hand_over_s = 0;      ///< one answer of several: measured, tested, written
  double one_net_s = 0;        ///< the same of one net that answers every target
  int answers = 0;             ///< targets that can be met
  int threads = 1;             ///< that answers share, as side_by_side()
  int shards = 2;              ///< of their steps
  bool small_images = true;    ///< the nets see them: train::sees_small_images()
  std::int64_t steps_per_epoch = 0;
  std::int64_t batch_size = 0;
};

/// A run's parts in order, and what they are to do. Written to plan.json, which a resumed run goes
/// on with.
struct Plan {
  struct Part {
    std::string what;
    double seconds = 0;
  };
  double budget_s = 0;
  /// Of the inputs' nets; 0: one net is the answer to every target. Not written: the bounds say it.
  std::size_t largest = 0;
  std::int64_t small_steps = 0;     ///< of the smallest net alone
  std::int64_t grown_steps = 0;     ///< of the largest, grown out of it; 0 of one net
  train::StepSeconds small_step_s;  ///< as they were tried
  train::StepSeconds grown_step_s;
  train::SmallImages small_images;   ///< of all steps, small and grown
  int accuracy_samples = 0;          ///< nets evaluated for the predictor
  int fine_tune_nets = 0;            ///< answers trained on one by one, at most
  std::int64_t fine_tune_steps = 0;  ///< of each of them
  std::vector<Part> parts;
};

/// The largest net is the largest of those that see enough images for each of their parameters:
/// with fewer, a smaller net that sees more is better, and where the smallest is the only one it
/// gets all of the time. Else the smallest net has a share of the time alone, the largest, grown
/// out of it, most of the rest, and as many answers as that is enough for what is left.
/// docs/what_pays.md has what was tried.
/// Nothing if the time is less than fewest_seconds().
/// @throws std::invalid_argument if inputs has no net.
std::optional<Plan> make_plan(const PlanInputs& inputs);

/// The least seconds_left for which make_plan() gives a plan.
double fewest_seconds(const PlanInputs& inputs);

/// Of a step of the small and then the grown net.
double step_s(const Plan& plan, std::int64_t step);
/// Of the answers that are trained on, on all threads: their mean is as if halfway between.
double fine_tune_step_s(const Plan& plan);

nlohmann::ordered_json to_json(const Plan& plan);
/// @throws Error `<where>: ...` naming the member at fault.
Plan plan_from_json(const nlohmann::json& json, const std::string& where);

/// A line for each part, for people.
std::vector<std::string> plan_lines(const Plan& plan);

}  // namespace lathe::run
