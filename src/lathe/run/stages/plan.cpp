#include "lathe/run/stages/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lathe/core/file.h"

namespace lathe::run {
namespace {

// Of the training time. Tried at 4, 10 and 40 minutes: docs/worth_its_time.md.
constexpr double kSmallShare = 0.65;
constexpr double kFineTuneShare = 0.15;
// Fewer epochs of their own than this made no answer better.
constexpr double kFewestFineTuneEpochs = 2.0;
// A small net that has not seen the images so often gains more from seeing them again than from
// being made larger.
constexpr double kEpochsBeforeGrowing = 3.0;
constexpr int kMostSamples = 80, kFewestSamples = 12;
constexpr double kSampleShare = 0.03;  // of the time
constexpr std::int64_t kFewestSteps = 20;

std::int64_t steps(double seconds, double step_s) {
  return static_cast<std::int64_t>(std::floor(seconds / step_s));
}

double training_s(const PlanInputs& in) { return in.seconds_left - in.answers * in.hand_over_s; }

int samples_of(const PlanInputs& in) {
  return static_cast<int>(std::clamp(kSampleShare * training_s(in) / in.evaluation_s,
                                     double{kFewestSamples}, double{kMostSamples}));
}

/// All of the time for one net.
Plan alone(const PlanInputs& in) {
  Plan plan{.small_steps = steps(training_s(in) - in.evaluation_s, in.small_step_s),
            .small_step_s = in.small_step_s,
            .joint_step_s = in.joint_step_s};
  plan.parts = {{"one net alone, the answer to every target", training_s(in)}};
  return plan;
}

}  // namespace

double fewest_seconds(const PlanInputs& in) {
  return in.answers * in.hand_over_s + in.evaluation_s +
         static_cast<double>(kFewestSteps) * in.small_step_s;
}

std::optional<Plan> make_plan(const PlanInputs& in) {
  if (in.seconds_left < fewest_seconds(in)) {
    return std::nullopt;
  }
  std::optional<Plan> plan;
  const int samples = samples_of(in);
  // As many candidates again are compared on the validation images.
  const double evaluating_s = (samples + 2 * in.answers) * in.evaluation_s;
  const double time_s = training_s(in) - evaluating_s;
  const auto per_epoch = static_cast<double>(in.steps_per_epoch);
  if (in.one_net || time_s <= 0 ||
      kSmallShare * time_s < kEpochsBeforeGrowing * per_epoch * in.small_step_s) {
    plan = alone(in);
  } else {
    // A fine-tuned net's step is about one of the joint steps' nets.
    const double fine_tune_step_s = 0.5 * (in.small_step_s + 0.5 * in.joint_step_s);
    double fine_tune_s = kFineTuneShare * time_s;
    std::int64_t fine_tune_steps = steps(fine_tune_s / in.answers, fine_tune_step_s);
    if (static_cast<double>(fine_tune_steps) < kFewestFineTuneEpochs * per_epoch) {
      fine_tune_s = 0;
      fine_tune_steps = 0;
    }
    const double small_s = kSmallShare * time_s;
    const double joint_s = time_s - small_s - fine_tune_s;
    plan = Plan{.small_steps = steps(small_s, in.small_step_s),
                .joint_steps = std::max<std::int64_t>(1, steps(joint_s, in.joint_step_s)),
                .small_step_s = in.small_step_s,
                .joint_step_s = in.joint_step_s,
                .accuracy_samples = samples,
                .fine_tune_steps = fine_tune_steps};
    plan->parts = {{"the smallest net alone", small_s},
                   {"all nets, grown out of it", joint_s},
                   {fmt::format("accuracy of {} nets", samples), evaluating_s}};
    if (fine_tune_steps > 0) {
      plan->parts.push_back({"the answers one by one", fine_tune_s});
    }
  }
  plan->budget_s = in.seconds_left;
  plan->parts.push_back(
      {"measuring, testing and writing the answers", in.answers * in.hand_over_s});
  return plan;
}

nlohmann::ordered_json to_json(const Plan& plan) {
  nlohmann::ordered_json parts = nlohmann::ordered_json::array();
  for (const Plan::Part& part : plan.parts) {
    parts.push_back({{"what", part.what}, {"seconds", part.seconds}});
  }
  return {{"budget_s", plan.budget_s},
          {"small_steps", plan.small_steps},
          {"joint_steps", plan.joint_steps},
          {"small_step_s", plan.small_step_s},
          {"joint_step_s", plan.joint_step_s},
          {"accuracy_samples", plan.accuracy_samples},
          {"fine_tune_steps", plan.fine_tune_steps},
          {"parts", parts}};
}

Plan plan_from_json(const nlohmann::json& json, const std::string& where) {
  Plan plan{.budget_s = json_member<double>(json, "budget_s", where),
            .small_steps = json_member<std::int64_t>(json, "small_steps", where),
            .joint_steps = json_member<std::int64_t>(json, "joint_steps", where),
            .small_step_s = json_member<double>(json, "small_step_s", where),
            .joint_step_s = json_member<double>(json, "joint_step_s", where),
            .accuracy_samples = json_member<int>(json, "accuracy_samples", where),
            .fine_tune_steps = json_member<std::int64_t>(json, "fine_tune_steps", where)};
  for (const nlohmann::json& part :
       json_member<std::vector<nlohmann::json>>(json, "parts", where)) {
    plan.parts.push_back({json_member<std::string>(part, "what", where),
                          json_member<double>(part, "seconds", where)});
  }
  return plan;
}

std::vector<std::string> plan_lines(const Plan& plan) {
  std::vector<std::string> lines;
  for (const Plan::Part& part : plan.parts) {
    lines.push_back(fmt::format("{:>7.0f} s  {}", part.seconds, part.what));
  }
  return lines;
}

}  // namespace lathe::run
