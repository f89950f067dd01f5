// Trainings so small that a checkpoint of one is an input that a fuzzer can think of.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "fuzz/small_chain.h"
#include "latency/latency_fixtures.h"
#include "latency/table_by_macs.h"
#include "lathe/nn/supernet.h"
#include "lathe/train/method.h"
#include "lathe/train/records/train_state.h"

namespace lathe::testing {

/// Methods that keep all there is to keep: no state but the plan's, scores, scores and prices, a
/// teacher.
inline constexpr std::array kSmallTrainings{"deps", "slimmable", "aows", "ofa"};

class SmallTraining {
 public:
  static constexpr std::int64_t kSteps = 12;
  static constexpr std::int64_t kDone = 6;

  explicit SmallTraining(const std::string& method)
      : space_(space::make_chain_space(small_chain())),
        latency_(table_by_macs(*space_, fingerprint_of(*space_))),
        supernet_(space_, {.seed = 1}),
        strategy_(
            train::make_strategy(*space_,
                                 {.name = method,
                                  .targets_ms = {latency_.predict_ms(space_->smallest()) + 1e-4},
                                  .temperature = {{{0.25, 1.0}, {1.0, 0.5}}}},
                                 kSteps, kSteps / 2, std::nullopt, 1, &latency_)),
        state_(supernet_, *space_, *strategy_, {}, method == "ofa" ? 0 : 0.9) {}

  const space::Space& space() const { return *space_; }
  train::Strategy& strategy() { return *strategy_; }
  train::TrainState& state() { return state_; }
  nlohmann::json settings() const { return {{"strategy", strategy_->to_json()}}; }

  /// As after kDone steps, but that no weight has changed.
  void pretend() {
    for (std::int64_t step = 0; step < kDone; ++step) {
      const train::StepPlan plan = strategy_->plan(step);
      if (plan.keep_teacher) {
        state_.new_teacher().load_state(supernet_.state(), "teacher");
      }
      std::vector<train::Observation> observations;
      for (std::size_t pass = 0; pass < plan.passes.size(); ++pass) {
        if (plan.passes[pass].observe) {
          const float loss = 0.5F + 0.25F * static_cast<float>(pass);
          observations.push_back({.pass = pass, .losses = {loss, loss}});
        }
      }
      if (!observations.empty()) {
        strategy_->observe(step, observations);
      }
    }
    strategy_->shorten(kDone, (kSteps - kDone) / 2);
  }

 private:
  std::shared_ptr<const space::Space> space_;
  latency::BlockTable latency_;
  nn::Supernet supernet_;
  std::unique_ptr<train::Strategy> strategy_;
  train::TrainState state_;
};

}  // namespace lathe::testing
