#include "lathe/run/stages/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "lathe/core/file.h"
#include "lathe/run/stages/side_by_side.h"

namespace lathe::run {
namespace {

// How the time is shared out and from when on a larger net pays: tried with one net, and with
// nets of 0.9, 1.8 and 4.2 MMACs for 75 to 600 s, docs/what_pays.md.
constexpr double kImagesPerParameter = 15;
constexpr double kLineShare = 0.7;     // of the training: the smallest net, and what it grows to
constexpr double kSmallShare = 0.15;   // of that, the smallest alone
constexpr double kSmallImages = 0.75;  // of a net's steps; all of the smallest's before it grows
constexpr double kFineTuneEpochs = 8;  // that do an answer good
constexpr double kFewestFineTuneEpochs = 4;
constexpr int kMostSamples = 80, kFewestSamples = 12;
constexpr double kSampleShare = 0.03;  // of the time
constexpr std::int64_t kFewestSteps = 20;

std::int64_t steps(double seconds, double step_s) {
  return static_cast<std::int64_t>(std::floor(seconds / step_s));
}

/// Of answers that may be different nets; of one net it is less.
double answers_s(const PlanInputs& in) { return in.answers * in.hand_over_s; }

double training_s(const PlanInputs& in) { return in.seconds_left - answers_s(in); }

Plan::Part handing_over(double seconds) {
  return {"measuring, testing and writing the answers", seconds};
}

int samples_of(const PlanInputs& in) {
  return static_cast<int>(std::clamp(kSampleShare * training_s(in) / in.evaluation_s,
                                     double{kFewestSamples}, double{kMostSamples}));
}

train::SmallImages small_images_of(const PlanInputs& in) {
  return in.small_images ? train::SmallImages::over(kSmallImages) : train::SmallImages{};
}

/// What is `of_grown` of the steps after the first ones, whose images have half of the side.
train::SmallImages after(std::int64_t first, std::int64_t grown,
                         const train::SmallImages& of_grown) {
  const auto share = [&](double of) {
    return (static_cast<double>(first) + of * static_cast<double>(grown)) /
           static_cast<double>(first + grown);
  };
  return {.half_until = share(of_grown.half_until),
          .three_quarters_until = share(of_grown.three_quarters_until)};
}

/// All of the time for one net.
Plan alone(const PlanInputs& in) {
  const train::StepSeconds step_s = in.nets.front().step_s;
  const train::SmallImages small_images = small_images_of(in);
  const double time_s = in.seconds_left - in.one_net_s;
  Plan plan{.small_steps = steps(time_s - in.evaluation_s, small_images.mean_s(step_s)),
            .small_step_s = step_s,
            .grown_step_s = step_s,
            .small_images = small_images};
  plan.parts = {{"one net alone, the answer to every target", time_s}, handing_over(in.one_net_s)};
  return plan;
}

/// How many answers are trained on, and for how many steps each. On one thread steps take as much
/// longer as there are threads.
void plan_fine_tuning(const PlanInputs& in, double seconds, Plan& plan) {
  const double step_s = fine_tune_step_s(plan);
  const auto steps_of = [&](int nets) {
    const auto shared = side_by_side(static_cast<std::size_t>(nets), in.threads, in.shards);
    return steps(seconds, shared.seconds(in.threads * step_s, in.threads));
  };
  const auto epochs_of = [&](int nets) {
    return static_cast<double>(steps_of(nets)) / static_cast<double>(in.steps_per_epoch);
  };
  int nets = std::min(in.threads, in.answers);
  while (nets < in.answers && epochs_of(nets + 1) >= kFineTuneEpochs) {
    ++nets;
  }
  if (epochs_of(nets) >= kFewestFineTuneEpochs) {
    plan.fine_tune_nets = nets;
    plan.fine_tune_steps = steps_of(nets);
  }
}

/// The plan with `largest` of the inputs' nets; nothing if that sees too few images, or the smaller
/// answers do.
std::optional<Plan> growing_to(const PlanInputs& in, std::size_t largest) {
  const int samples = samples_of(in);
  // As many candidates again are compared on the validation images.
  const double evaluating_s = (samples + 2 * in.answers) * in.evaluation_s;
  const double time_s = training_s(in) - evaluating_s;
  if (time_s <= 0) {
    return std::nullopt;
  }
  const double line_s = kLineShare * time_s, small_s = kSmallShare * line_s;
  const train::StepSeconds small = in.nets.front().step_s, grown = in.nets[largest].step_s;
  const train::SmallImages of_grown = small_images_of(in);
  Plan plan{.largest = largest,
            .small_steps = steps(small_s, of_grown.any() ? small.half : small.full),
            .grown_steps = steps(line_s - small_s, of_grown.mean_s(grown)),
            .small_step_s = small,
            .grown_step_s = grown,
            .accuracy_samples = samples};
  if (of_grown.any()) {
    plan.small_images = after(plan.small_steps, plan.grown_steps, of_grown);
  }
  // Small images teach less: what counts is how many of full size the time would be enough for.
  const double images =
      static_cast<double>(in.batch_size) * (small_s / small.full + (line_s - small_s) / grown.full);
  plan_fine_tuning(in, time_s - line_s, plan);
  if (images < kImagesPerParameter * in.nets[largest].params || plan.fine_tune_nets == 0) {
    return std::nullopt;
  }
  plan.parts = {{"the smallest net alone", small_s},
                {"the largest, grown out of it", line_s - small_s},
                {fmt::format("accuracy of {} nets", samples), evaluating_s},
                {fmt::format("up to {} answers, one by one", plan.fine_tune_nets), time_s - line_s},
                handing_over(answers_s(in))};
  return plan;
}

train::SmallImages small_images_from_json(const nlohmann::json& json, const std::string& where) {
  if (!json.contains("small_images")) {  // of an older version
    return {};
  }
  const auto images = json_member<nlohmann::json>(json, "small_images", where);
  const std::string member = where + ": small_images";
  return {.half_until = json_member<double>(images, "half_until", member),
          .three_quarters_until = json_member<double>(images, "three_quarters_until", member)};
}

}  // namespace

double fine_tune_step_s(const Plan& plan) {
  return 0.5 * (plan.small_step_s.full + plan.grown_step_s.full);
}

double step_s(const Plan& plan, std::int64_t step) {
  const auto all = static_cast<double>(plan.small_steps + plan.grown_steps);
  const train::StepSeconds& of = step < plan.small_steps ? plan.small_step_s : plan.grown_step_s;
  return of.at(plan.small_images.scale(static_cast<double>(step) / all));
}

double fewest_seconds(const PlanInputs& in) {
  return in.one_net_s + in.evaluation_s +
         static_cast<double>(kFewestSteps) * in.nets.front().step_s.full;
}

std::optional<Plan> make_plan(const PlanInputs& in) {
  if (in.nets.empty()) {
    throw std::invalid_argument("[run::make_plan] there is no net to train");
  }
  if (in.seconds_left < fewest_seconds(in)) {
    return std::nullopt;
  }
  std::optional<Plan> plan;
  for (std::size_t i = in.nets.size() - 1; i > 0 && !plan; --i) {
    plan = growing_to(in, i);
  }
  if (!plan) {
    plan = alone(in);
  }
  plan->budget_s = in.seconds_left;
  return plan;
}

nlohmann::ordered_json to_json(const Plan& plan) {
  nlohmann::ordered_json parts = nlohmann::ordered_json::array();
  for (const Plan::Part& part : plan.parts) {
    parts.push_back({{"what", part.what}, {"seconds", part.seconds}});
  }
  return {{"budget_s", plan.budget_s},
          {"small_steps", plan.small_steps},
          {"grown_steps", plan.grown_steps},
          {"small_step_s", train::to_json(plan.small_step_s)},
          {"grown_step_s", train::to_json(plan.grown_step_s)},
          {"small_images",
           {{"half_until", plan.small_images.half_until},
            {"three_quarters_until", plan.small_images.three_quarters_until}}},
          {"accuracy_samples", plan.accuracy_samples},
          {"fine_tune_nets", plan.fine_tune_nets},
          {"fine_tune_steps", plan.fine_tune_steps},
          {"parts", parts}};
}

Plan plan_from_json(const nlohmann::json& json, const std::string& where) {
  Plan plan{.budget_s = json_member<double>(json, "budget_s", where),
            .small_steps = json_member<std::int64_t>(json, "small_steps", where),
            .grown_steps = json_member<std::int64_t>(json, "grown_steps", where),
            .small_step_s = train::step_seconds_from_json(json, "small_step_s", where),
            .grown_step_s = train::step_seconds_from_json(json, "grown_step_s", where),
            .small_images = small_images_from_json(json, where),
            .accuracy_samples = json_member<int>(json, "accuracy_samples", where),
            .fine_tune_nets = json_member<int>(json, "fine_tune_nets", where),
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
