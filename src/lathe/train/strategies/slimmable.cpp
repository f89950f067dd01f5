#include "lathe/train/strategies/slimmable.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/core/statistics.h"
#include "lathe/train/strategies/step_archs.h"

namespace lathe::train {
namespace {

constexpr std::uint64_t kSlimmableStream = 0x736c696d;  // "slim"
constexpr std::size_t kFirstRandom = 2;                 // pass, behind the widest and the narrowest

double mean_loss(const Observation& observation) {
  return mean(std::vector<double>(observation.losses.begin(), observation.losses.end()));
}

class Slimmable final : public Strategy {
 public:
  Slimmable(const space::Space& space, const SlimmableOptions& options)
      : space_(space), options_(options), statistics_(space, options.scores) {}

  std::int64_t total_steps() const override { return options_.schedule.total_steps; }

  StepPlan plan(std::int64_t step) const override {
    StepArchs archs(space_, options_.seed, kSlimmableStream, step);
    std::vector<space::Arch> random;
    for (int i = 0; i < options_.random_subnets; ++i) {
      random.push_back(archs.sample());
    }
    return {.passes = slimmable_passes(space_, std::move(random)),
            .learning_rate = options_.schedule.at(step)};
  }

  void observe(std::int64_t step, const std::vector<Observation>& observations) override {
    add_observations(plan(step).passes, observations, statistics_);
  }

  nlohmann::json state() const override { return statistics_.state(); }
  void restore(const nlohmann::json& state) override { statistics_.restore(state); }

  nlohmann::json to_json() const override {
    return {{"method", "slimmable"},
            {"total_steps", options_.schedule.total_steps},
            {"learning_rate", options_.schedule.peak},
            {"warmup_steps", options_.schedule.warmup_steps},
            {"final_share", options_.schedule.final_share},
            {"random_subnets", options_.random_subnets},
            {"window_images", options_.scores.window_images},
            {"baseline", options_.scores.baseline},
            {"seed", options_.seed}};
  }

  std::vector<Reported> reported(std::int64_t /*steps_done*/) const override {
    return {{"largest", space_.largest()}, {"smallest", space_.smallest()}};
  }

  std::optional<accuracy::WidthScores> width_scores() const override {
    return statistics_.width_scores();
  }

 private:
  const space::Space& space_;
  SlimmableOptions options_;
  WidthStatistics statistics_;
};

}  // namespace

std::vector<Pass> slimmable_passes(const space::Space& space, std::vector<space::Arch> random) {
  std::vector<Pass> passes{{.arch = space.largest(), .dropout = true, .observe = true},
                           {.arch = space.smallest(), .losses = {{Target::kFirstPass, 1.0}}}};
  for (space::Arch& arch : random) {
    passes.push_back(
        {.arch = std::move(arch), .losses = {{Target::kFirstPass, 1.0}}, .observe = true});
  }
  return passes;
}

void add_observations(const std::vector<Pass>& passes, const std::vector<Observation>& observations,
                      WidthStatistics& statistics) {
  if (observations.size() + 1 != passes.size() || observations.front().pass != 0) {
    throw std::invalid_argument("[train::add_observations] expected the widest net's losses and " +
                                std::to_string(passes.size() - kFirstRandom) +
                                " random nets', got " + std::to_string(observations.size()) +
                                " passes'");
  }
  const double widest = mean_loss(observations.front());
  for (std::size_t i = 1; i < observations.size(); ++i) {
    statistics.add(passes.at(observations[i].pass).arch, mean_loss(observations[i]) - widest,
                   static_cast<std::int64_t>(observations[i].losses.size()));
  }
}

std::unique_ptr<Strategy> make_slimmable(const space::Space& space,
                                         const SlimmableOptions& options) {
  for (const space::Decision& decision : space.decisions()) {
    if (decision.group == "r") {
      throw std::invalid_argument("[train::make_slimmable] space " + space.name() +
                                  " has a choice of resolution, which has no score");
    }
  }
  if (options.schedule.total_steps <= 0 || options.random_subnets < 1) {
    throw std::invalid_argument(
        "[train::make_slimmable] total_steps must be > 0 and random_subnets >= 1, got " +
        std::to_string(options.schedule.total_steps) + " and " +
        std::to_string(options.random_subnets));
  }
  return std::make_unique<Slimmable>(space, options);
}

}  // namespace lathe::train
