// A device whose figures are known beforehand.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lathe/graph/fold.h"
#include "lathe/measure/runners/runner.h"

namespace lathe::testing {

/// Takes the net's number of nodes for its latency in ms, half a ms more in every fifth run.
class CountingRunner final : public measure::Runner {
 public:
  explicit CountingRunner(std::string device = "a counter") : device_(std::move(device)) {}

  std::vector<measure::Timing> time(std::span<const graph::Net> nets,
                                    const measure::TimingOptions& options,
                                    const measure::TurnFn& progress) override {
    std::vector<measure::Timing> timings;
    for (const graph::Net& net : nets) {
      graph::check_weights(net);
      measure::Timing timing;
      int run = 0;
      for (int round = 0; round < options.rounds; ++round) {
        timing.rounds_ms.emplace_back();
        for (int i = 0; i < options.runs_per_round; ++i) {
          const double disturbed_ms = ++run % 5 == 0 ? 0.5 : 0.0;
          timing.rounds_ms.back().push_back(slowness_ * (net.graph.size() + disturbed_ms));
        }
      }
      timings.push_back(std::move(timing));
      ++nets_timed_;
      if (progress) {
        progress(static_cast<int>(timings.size()), static_cast<int>(nets.size()));
      }
    }
    ++calls_;
    slowness_ *= drift_;
    if (calls_ < static_cast<int>(script_.size())) {
      slowness_ = script_[static_cast<std::size_t>(calls_)];
    }
    return timings;
  }
  std::string device() const override { return device_; }
  std::string runtime() const override { return "none"; }
  int batch() const override { return 1; }
  int threads() const override { return 1; }

  /// From call to call everything takes `factor` times as long.
  void drift(double factor) { drift_ = factor; }
  /// What everything takes in the first calls, as a multiple; then as in the last of them.
  void disturb(std::vector<double> factors) {
    script_ = std::move(factors);
    slowness_ = script_.front();
  }
  int calls() const { return calls_; }
  int nets_timed() const { return nets_timed_; }

 private:
  std::string device_;
  double slowness_ = 1.0;
  double drift_ = 1.0;
  std::vector<double> script_;
  int calls_ = 0;
  int nets_timed_ = 0;
};

}  // namespace lathe::testing
