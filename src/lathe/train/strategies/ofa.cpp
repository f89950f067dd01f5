#include "lathe/train/strategies/ofa.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "lathe/train/schedule.h"
#include "lathe/train/strategies/step_archs.h"

namespace lathe::train {
namespace {

constexpr std::uint64_t kOfaStream = 0x6f6661;  // "ofa"

// Once-for-All's peak rates; the first is the teacher's.
constexpr double kTeacherPeak = 2.6, kKernelPeak = 0.96, kFirstPeak = 0.08, kSecondPeak = 0.24;

int most_choices(const space::Space& space, const std::string& group) {
  int most = 0;
  for (const space::Decision& decision : space.decisions()) {
    if (decision.group == group) {
      most = std::max(most, decision.num_choices());
    }
  }
  return most;
}

/// The largest net, but for `group`: of its choices only the `open` largest are left, and the
/// smallest of these is taken.
space::Arch narrowed(const space::Space& space, const std::string& group, int open) {
  space::Arch arch = space.largest();
  for (std::size_t i = 0; i < arch.choices.size(); ++i) {
    const space::Decision& decision = space.decisions()[i];
    if (decision.group == group) {
      arch.choices[i] = static_cast<std::uint8_t>(std::max(0, decision.num_choices() - open));
    }
  }
  return space.canonical(arch);
}

/// Whether choices of `group` make a layer narrower that they keep.
bool opens_widths(const space::Space& space, const std::string& group) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const graph::ParameterSpec& spec : graph::parameters_of(space.graph(space.largest()))) {
    shapes[spec.name] = spec.shape;
  }
  const graph::Graph small = space.graph(narrowed(space, group, most_choices(space, group)));
  for (const graph::ParameterSpec& spec : graph::parameters_of(small)) {
    if (spec.shape.at(0) < shapes.at(spec.name).at(0)) {
      return true;
    }
  }
  return false;
}

/// The first step of each phase, none of which is left without a step: a phase's channel sort keeps
/// within the widths that the phase before has trained.
std::vector<std::int64_t> begins(const OfaOptions& options) {
  const auto total = static_cast<double>(options.total_steps);
  double epochs = 0, done = 0;
  for (const OfaPhase& phase : options.phases) {
    epochs += phase.epochs;
  }
  std::vector<std::int64_t> begins;
  auto left = static_cast<std::int64_t>(options.phases.size());
  for (const OfaPhase& phase : options.phases) {
    const std::int64_t earliest = begins.empty() ? 0 : begins.back() + 1;
    begins.push_back(std::clamp<std::int64_t>(std::llround(total * done / epochs), earliest,
                                              options.total_steps - left));
    done += phase.epochs;
    --left;
  }
  return begins;
}

class Ofa final : public Strategy {
 public:
  Ofa(const space::Space& space, const OfaOptions& options) : space_(space), options_(options) {
    begins_ = begins(options_);
    for (std::size_t p = 0; p < options_.phases.size(); ++p) {
      const OfaPhase& phase = options_.phases[p];
      const std::int64_t end = p + 1 < begins_.size() ? begins_[p + 1] : options_.total_steps;
      const std::int64_t steps = end - begins_[p];
      schedules_.push_back({.peak = options_.learning_rate * phase.peak_share,
                            .total_steps = steps,
                            .warmup_steps = std::llround(static_cast<double>(steps) *
                                                         phase.warmup_epochs / phase.epochs)});
    }
  }

  std::int64_t total_steps() const override { return options_.total_steps; }

  StepPlan plan(std::int64_t step) const override {
    const std::size_t p = phase_of(step);
    const OfaPhase& phase = options_.phases[p];
    StepPlan plan{.passes = {}, .learning_rate = schedules_[p].at(step - begins_[p])};
    StepArchs archs(space_, options_.seed, kOfaStream, step);
    if (p == 0) {
      plan.passes.push_back({.arch = archs.largest(), .dropout = true});
      return plan;
    }
    const std::size_t before = phase_of(step - 1);
    if (before != p) {
      plan.keep_teacher = before == 0;
      plan.restart_optimizer = true;
      if (phase.sorts_channels) {
        plan.sort_channels = StepPlan::ChannelSort{.trained = widths_open_before(p)};
      }
    }
    const std::vector<std::uint8_t> first = first_choices(phase);
    for (int i = 0; i < phase.nets_per_step; ++i) {
      plan.passes.push_back({.arch = archs.sample_from(first),
                             .losses = {{Target::kLabels, 1.0}, {Target::kTeacher, 1.0}},
                             .dropout = true});
    }
    return plan;
  }

  int image_size(std::int64_t step) const override {
    return StepArchs(space_, options_.seed, kOfaStream, step).image_size();
  }

  nlohmann::json to_json() const override {
    nlohmann::json phases = nlohmann::json::array();
    for (std::size_t p = 0; p < options_.phases.size(); ++p) {
      phases.push_back({{"name", options_.phases[p].name},
                        {"begins", begins_[p]},
                        {"warmup_steps", schedules_[p].warmup_steps},
                        {"peak", schedules_[p].peak},
                        {"nets_per_step", options_.phases[p].nets_per_step},
                        {"open", options_.phases[p].open}});
    }
    return {{"method", "ofa"},
            {"total_steps", options_.total_steps},
            {"phases", phases},
            {"seed", options_.seed}};
  }

  std::vector<Reported> reported(std::int64_t /*steps_done*/) const override {
    return {{"largest", space_.largest()}, {"smallest", space_.smallest()}};
  }

 private:
  std::size_t phase_of(std::int64_t step) const {
    const auto after = std::upper_bound(begins_.begin(), begins_.end(), step);
    return static_cast<std::size_t>(after - begins_.begin()) - 1;
  }

  /// By decision, the first choice that a phase has open.
  std::vector<std::uint8_t> first_choices(const OfaPhase& phase) const {
    std::vector<std::uint8_t> first = space_.largest().choices;
    for (std::size_t i = 0; i < first.size(); ++i) {
      const space::Decision& decision = space_.decisions()[i];
      const auto open = phase.open.find(decision.group);
      if (open != phase.open.end()) {
        first[i] = static_cast<std::uint8_t>(std::max(0, decision.num_choices() - open->second));
      }
    }
    return first;
  }

  /// The narrowest nets that the phases before `p` have trained, one for each group of decisions.
  std::vector<space::Arch> widths_open_before(std::size_t p) const {
    std::vector<space::Arch> trained;
    for (const auto& [group, open] : options_.phases[p - 1].open) {
      for (int narrower = 2; narrower <= open; ++narrower) {
        trained.push_back(narrowed(space_, group, narrower));
      }
    }
    return trained;
  }

  const space::Space& space_;
  OfaOptions options_;
  std::vector<std::int64_t> begins_;
  std::vector<CosineSchedule> schedules_;
};

}  // namespace

std::vector<OfaPhase> ofa_phases(const space::Space& space) {
  std::vector<OfaPhase> phases{{.name = "teacher", .epochs = 180, .warmup_epochs = 5}};
  std::map<std::string, int> open;
  if (const int kernels = most_choices(space, "ks"); kernels > 1) {
    open["ks"] = kernels;
    phases.push_back({.name = "ks",
                      .epochs = 125,
                      .warmup_epochs = 5,
                      .peak_share = kKernelPeak / kTeacherPeak,
                      .open = open});
  }
  std::vector<std::string> groups{"d", "e", "w", "widths"};
  for (const std::string& group : groups) {
    const int choices = most_choices(space, group);
    if (choices < 2) {
      continue;
    }
    const bool widths = opens_widths(space, group);
    if (choices > 2) {
      open[group] = 2;
      phases.push_back({.name = group + " 1",
                        .epochs = 25,
                        .peak_share = kFirstPeak / kTeacherPeak,
                        .nets_per_step = widths ? 4 : 2,
                        .open = open,
                        .sorts_channels = widths});
    }
    open[group] = choices;
    phases.push_back({.name = choices > 2 ? group + " 2" : group,
                      .epochs = 125,
                      .warmup_epochs = 5,
                      .peak_share = kSecondPeak / kTeacherPeak,
                      .nets_per_step = widths ? 4 : 2,
                      .open = open,
                      .sorts_channels = widths});
  }
  return phases;
}

std::unique_ptr<Strategy> make_ofa(const space::Space& space, const OfaOptions& options) {
  const auto phases = static_cast<std::int64_t>(options.phases.size());
  if (phases == 0 || options.total_steps < phases) {
    throw std::invalid_argument(
        "[train::make_ofa] needs at least one phase and as many steps, got " +
        std::to_string(phases) + " phases and " + std::to_string(options.total_steps) + " steps");
  }
  for (const OfaPhase& phase : options.phases) {
    if (!(phase.epochs > 0) || phase.nets_per_step < 1) {
      throw std::invalid_argument(
          "[train::make_ofa] phase " + phase.name + " needs epochs and nets per step > 0, got " +
          std::to_string(phase.epochs) + " and " + std::to_string(phase.nets_per_step));
    }
  }
  return std::make_unique<Ofa>(space, options);
}

}  // namespace lathe::train
