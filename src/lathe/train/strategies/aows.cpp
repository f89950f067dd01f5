#include "lathe/train/strategies/aows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/hash.h"
#include "lathe/search/chain/expected_price.h"
#include "lathe/search/chain/forward_backward.h"
#include "lathe/search/chain/lagrangian.h"
#include "lathe/space/slot_chain.h"
#include "lathe/train/strategies/step_archs.h"

namespace lathe::train {
namespace {

constexpr std::uint64_t kAowsStream = 0x616f7773;  // "aows"
constexpr double kNear = 0.05;                     // of a target

/// Rounded up, so that what is printed can be typed as a target.
std::string at_least(double ms) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", std::ceil(ms * 1000 - 1e-9) / 1000);
  return text.data();
}

const space::SlotCosts& slot_costs(const latency::LatencyModel& model) {
  if (model.slot_costs() == nullptr) {
    throw Error(
        "--latency: AOWS needs a latency model that is a sum over blocks (additive, table " +
        std::string("or ridge), got one of another kind"));
  }
  return *model.slot_costs();
}

class Aows final : public Strategy {
 public:
  Aows(const space::Space& space, const latency::LatencyModel& latency, AowsOptions options)
      : space_(space),
        options_(std::move(options)),
        chain_(space),
        latency_(slot_costs(latency)),
        latency_ms_(chain_.costs(latency_)),
        statistics_(space, options_.slimmable.scores),
        gamma_(options_.targets_ms.size(), 0.0) {
    const double fastest_ms = fastest();
    for (double target_ms : options_.targets_ms) {
      if (target_ms < fastest_ms) {
        throw Error("--targets: " + std::to_string(target_ms) +
                    " ms is under what the fastest net of the space takes by the latency model, " +
                    at_least(fastest_ms) + " ms");
      }
    }
    start_step_ = std::max<std::int64_t>(
        1, std::llround(options_.temperature.start() * static_cast<double>(total_steps())));
  }

  std::int64_t total_steps() const override { return options_.slimmable.schedule.total_steps; }

  StepPlan plan(std::int64_t step) const override {
    std::vector<space::Arch> archs;
    for (Draw& draw : draws(step)) {
      archs.push_back(std::move(draw.arch));
    }
    return {.passes = slimmable_passes(space_, std::move(archs)),
            .learning_rate = options_.slimmable.schedule.at(step)};
  }

  void observe(std::int64_t step, const std::vector<Observation>& observations) override {
    const std::vector<Draw> drawn = draws(step);
    if (step % options_.steps_per_epoch == 0) {
      drawn_ = within_ = 0;
    }
    std::vector<space::Arch> archs;
    for (const Draw& draw : drawn) {
      const double target_ms = options_.targets_ms[draw.target];
      ++drawn_;
      within_ += std::abs(latency_.total(draw.arch) - target_ms) <= kNear * target_ms ? 1 : 0;
      archs.push_back(draw.arch);
    }
    add_observations(slimmable_passes(space_, std::move(archs)), observations, statistics_);
    solved_step_ = step + 1;
    if (solved_step_ >= start_step_) {
      solve_prices();
    }
  }

  nlohmann::json state() const override {
    return {{"scores", statistics_.state()},
            {"gamma", gamma_},
            {"solved_step", solved_step_},
            {"drawn", drawn_},
            {"within", within_}};
  }

  void restore(const nlohmann::json& state) override {
    const std::string where = "state of aows in the checkpoint";
    const auto gamma = json_member<std::vector<double>>(state, "gamma", where);
    if (gamma.size() != gamma_.size()) {
      throw Error(where + ": is of " + std::to_string(gamma.size()) + " targets, expected " +
                  std::to_string(gamma_.size()));
    }
    statistics_.restore(json_member<nlohmann::json>(state, "scores", where));
    gamma_ = gamma;
    solved_step_ = json_member<std::int64_t>(state, "solved_step", where);
    drawn_ = json_member<std::int64_t>(state, "drawn", where);
    within_ = json_member<std::int64_t>(state, "within", where);
  }

  nlohmann::json to_json() const override {
    const SlimmableOptions& s = options_.slimmable;
    return {{"method", "aows"},
            {"total_steps", s.schedule.total_steps},
            {"learning_rate", s.schedule.peak},
            {"warmup_steps", s.schedule.warmup_steps},
            {"final_share", s.schedule.final_share},
            {"random_subnets", s.random_subnets},
            {"window_images", s.scores.window_images},
            {"baseline", s.scores.baseline},
            {"seed", s.seed},
            {"targets_ms", options_.targets_ms},
            {"temperature", options_.temperature.points},
            {"price", options_.price},
            {"latency_hash", latency_hash()}};
  }

  std::vector<Reported> reported(std::int64_t /*steps_done*/) const override {
    return {{"largest", space_.largest()}, {"smallest", space_.smallest()}};
  }

  std::optional<accuracy::WidthScores> width_scores() const override {
    return statistics_.width_scores();
  }

  nlohmann::ordered_json figures() const override {
    nlohmann::ordered_json figures{
        {"within_5_percent",
         drawn_ > 0 ? static_cast<double>(within_) / static_cast<double>(drawn_) : 0.0}};
    if (solved_step_ < start_step_) {
      return figures;
    }
    figures["temperature"] = paper_temperature();
    for (std::size_t k = 0; k < gamma_.size(); ++k) {
      const std::string of = gamma_.size() > 1 ? "_" + std::to_string(k + 1) : "";
      figures["gamma_per_ms" + of] = gamma_[k];
      figures["expected_latency_ms" + of] = distribution(k).expected_total(latency_ms_);
    }
    return figures;
  }

 private:
  struct Draw {
    space::Arch arch;
    std::size_t target = 0;
  };

  double fastest() const {
    try {
      return chain_.minimum(latency_).second;
    } catch (const std::invalid_argument&) {
      throw Error("--latency: the model covers no net of space " + space_.name());
    }
  }

  /// The random nets of a step, by the scores and prices after the step before.
  std::vector<Draw> draws(std::int64_t step) const {
    std::vector<Draw> draws;
    Rng rng =
        Rng::derived(options_.slimmable.seed, {kAowsStream, static_cast<std::uint64_t>(step)});
    const auto targets = static_cast<std::uint32_t>(gamma_.size());
    std::map<std::size_t, search::ForwardBackward> of_target;
    for (int i = 0; i < options_.slimmable.random_subnets; ++i) {
      const std::size_t target = targets > 1 ? rng.below(targets) : 0;
      if (step < start_step_) {
        draws.push_back({space_.sample(rng), target});
        continue;
      }
      auto found = of_target.find(target);
      if (found == of_target.end()) {
        found = of_target.emplace(target, distribution(target)).first;
      }
      draws.push_back({chain_.arch(found->second.sample(rng)), target});
    }
    return draws;
  }

  double paper_temperature() const {
    return options_.temperature.at(static_cast<double>(solved_step_) /
                                   static_cast<double>(total_steps()));
  }
  /// Of whole nets' errors.
  double temperature() const {
    return paper_temperature() * static_cast<double>(space_.decisions().size());
  }

  std::vector<double> errors() const {
    const std::vector<std::vector<double>> estimates = statistics_.estimates();
    return chain_.costs(space::SlotCosts(space_, estimates));
  }

  search::ForwardBackward distribution(std::size_t target) const {
    std::vector<double> energies = errors();
    for (std::size_t t = 0; t < energies.size(); ++t) {
      energies[t] = (energies[t] + gamma_[target] * latency_ms_[t]) / temperature();
    }
    return {chain_.trellis(), energies};
  }

  void solve_prices() {
    const std::vector<double> error = errors();
    for (std::size_t k = 0; k < gamma_.size(); ++k) {
      gamma_[k] = price(error, options_.targets_ms[k], gamma_[k]);
    }
  }

  double price(const std::vector<double>& error, double target_ms, double guess) const {
    if (options_.price == PriceRule::kExpected) {
      return search::price_for_expected_cost(chain_.trellis(), error, latency_ms_, temperature(),
                                             target_ms, guess)
          .price;
    }
    // There is a net within the target: that was checked.
    return search::lagrangian_search(chain_.trellis(), error, latency_ms_, target_ms)->price;
  }

  std::string latency_hash() const {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(latency_ms_.data());
    std::array<char, 17> digits{};
    std::snprintf(digits.data(), digits.size(), "%016llx",
                  static_cast<unsigned long long>(
                      fnv1a(std::span(bytes, latency_ms_.size() * sizeof(double)))));
    return digits.data();
  }

  const space::Space& space_;
  AowsOptions options_;
  space::SlotChain chain_;
  space::SlotCosts latency_;
  std::vector<double> latency_ms_;  // of each transition
  WidthStatistics statistics_;
  std::vector<double> gamma_;  // nats per ms, of each target
  std::int64_t start_step_ = 1;
  std::int64_t solved_step_ = 0;  // the step that gamma_ is for
  std::int64_t drawn_ = 0;        // in this epoch
  std::int64_t within_ = 0;
};

}  // namespace

double TemperatureSchedule::at(double share) const {
  std::size_t next = 1;
  while (next < points.size() && points[next].first < share) {
    ++next;
  }
  if (next == points.size()) {
    return points.back().second;
  }
  const auto [begin, high] = points[next - 1];
  const auto [end, low] = points[next];
  const double done = std::clamp((share - begin) / (end - begin), 0.0, 1.0);
  return high * std::pow(low / high, done);
}

std::unique_ptr<Strategy> make_aows(const space::Space& space, const latency::LatencyModel& latency,
                                    const AowsOptions& options) {
  make_slimmable(space, options.slimmable);  // its checks
  if (options.targets_ms.empty() || options.steps_per_epoch < 1) {
    throw std::invalid_argument("[train::make_aows] needs a target and steps_per_epoch >= 1");
  }
  const auto& points = options.temperature.points;
  bool falls = !points.empty() && points.front().first > 0 && points.back().first <= 1;
  for (std::size_t i = 0; falls && i < points.size(); ++i) {
    falls = points[i].second > 0 && (i == 0 || (points[i].first > points[i - 1].first &&
                                                points[i].second <= points[i - 1].second));
  }
  if (!falls) {
    throw std::invalid_argument(
        "[train::make_aows] temperatures must be > 0 and fall over ascending shares within (0, 1]");
  }
  return std::make_unique<Aows>(space, latency, options);
}

}  // namespace lathe::train
