// What the stages of a run need, made small.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/temporary_folder.h"
#include "latency/table_by_macs.h"
#include "lathe/measure/collect.h"
#include "lathe/measure/runners/runner.h"
#include "lathe/nn/supernet.h"
#include "lathe/run/run_folder.h"
#include "lathe/train/evaluator.h"
#include "run/synthetic_images.h"
#include "space/tiny_spaces.h"

namespace lathe::testing {

/// tiny_mobile for the synthetic images, at their one size: 9 decisions, 512 archs.
inline std::shared_ptr<const space::Space> stage_space(const std::string& name = "tiny_stage") {
  space::MobileSpec spec = tiny_mobile();
  spec.name = name;
  spec.task = {.in_channels = 1, .num_classes = 10, .input_size = kSyntheticSide};
  spec.resolutions.clear();
  return space::make_mobile_space(std::move(spec));
}

/// A device that takes as long as it is told: each timing of nets takes the next figures, then
/// `otherwise_ms`.
class ScriptedRunner final : public measure::Runner {
 public:
  explicit ScriptedRunner(std::vector<double> script_ms = {}, double otherwise_ms = 1.0)
      : script_ms_(std::move(script_ms)), otherwise_ms_(otherwise_ms) {}

  std::vector<measure::Timing> time(std::span<const graph::Net> nets, const measure::TimingOptions&,
                                    const measure::TurnFn&) override {
    std::vector<measure::Timing> timings;
    for (const graph::Net& net : nets) {
      graph::check_weights(net);
      last_ = net.graph;
      const double ms = timings_ < script_ms_.size() ? script_ms_[timings_] : otherwise_ms_;
      ++timings_;
      // Eleven times with the given median and 1.25 times it as their 90% quantile.
      std::vector<double> times_ms(9, ms);
      times_ms.insert(times_ms.end(), 2, 1.25 * ms);
      timings.push_back({.rounds_ms = {std::move(times_ms)}});
    }
    return timings;
  }
  std::string device() const override { return "a script"; }
  std::string runtime() const override { return "torch 0 channels_last"; }
  int batch() const override { return 1; }
  int threads() const override { return 1; }

  /// The net that was timed last.
  const graph::Graph& last() const { return last_; }
  /// How many nets were timed.
  std::size_t timings() const { return timings_; }

 private:
  std::vector<double> script_ms_;
  double otherwise_ms_;
  std::size_t timings_ = 0;
  graph::Graph last_{{1, 1, 1}};
};

/// An open, empty run folder.
inline run::RunFolder open_folder(const TemporaryFolder& folder) {
  return run::RunFolder::open(folder.path() / "run", "[run]\n", /*resume=*/true);
}

}  // namespace lathe::testing
