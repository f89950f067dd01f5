// How a run spends the time that it is given.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lathe::run {

/// What is known once the device is measured and a few steps were tried.
struct PlanInputs {
  double seconds_left = 0;  ///< of the budget
  double small_step_s = 0;  ///< a training step of the smallest net alone
  double joint_step_s = 0;  ///< a step after growth, of several nets
  double evaluation_s = 0;  ///< one net on the validation images, batch norm recalibrated
  double hand_over_s = 0;   ///< one answer: measured, tested, written
  int answers = 0;          ///< targets that can be met
  bool one_net = false;     ///< there is one net for all of them
  std::int64_t steps_per_epoch = 0;
};

/// A run's parts in order, and what they are to do. Written to plan.json, which a resumed run goes
/// on with.
struct Plan {
  struct Part {
    std::string what;
    double seconds = 0;
  };
  double budget_s = 0;
  std::int64_t small_steps = 0;  ///< of the smallest net alone
  std::int64_t joint_steps = 0;  ///< of all nets; 0: one net is the answer to every target
  double small_step_s = 0;       ///< as they were tried
  double joint_step_s = 0;
  int accuracy_samples = 0;          ///< nets evaluated for the predictor
  std::int64_t fine_tune_steps = 0;  ///< of each answer; 0: none
  std::vector<Part> parts;
};

/// Of the time that evaluating and handing over leave, the smallest net has a share alone, all nets
/// together a share after that, and the answers one by one the rest; what a part's steps don't add
/// up to anything useful with goes to the others. docs/worth_its_time.md has what was tried.
/// Nothing if the time is not enough for a step of each kind; too_short() says what would be.
std::optional<Plan> make_plan(const PlanInputs& inputs);

/// The least seconds_left for which make_plan() gives a plan.
double fewest_seconds(const PlanInputs& inputs);

nlohmann::ordered_json to_json(const Plan& plan);
/// @throws Error `<where>: ...` naming the member at fault.
Plan plan_from_json(const nlohmann::json& json, const std::string& where);

/// A line for each part, for people.
std::vector<std::string> plan_lines(const Plan& plan);

}  // namespace lathe::run
