// The best net for each of five latency targets, with models of one's own: no LibTorch, no data.
#include <cmath>
#include <cstdio>
#include <vector>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/fit/fit_sum_model.h"
#include "lathe/search/search_targets.h"
#include "lathe/space/builtin_spaces.h"

namespace {

double mmacs(const lathe::space::Space& space, const lathe::space::Arch& arch) {
  return static_cast<double>(lathe::graph::macs(space.graph(arch))) / 1e6;
}

/// A device that is a formula. Yours is measured: `lathe latency generate`, or any CSV file.
double measured_ms(const lathe::space::Space& space, const lathe::space::Arch& arch) {
  return 0.05 + 0.08 * mmacs(space, arch);
}

/// Whatever predicts an accuracy: here, more multiply-accumulates and deeper stages are better.
class MyPredictor final : public lathe::accuracy::AccuracyPredictor {
 public:
  using AccuracyPredictor::predict;
  explicit MyPredictor(const lathe::space::Space& space) : space_(space), name_(space.name()) {}

  void predict(std::span<const lathe::space::Arch> archs, std::span<double> out) const override {
    for (std::size_t i = 0; i < archs.size(); ++i) {
      const auto blocks = static_cast<double>(space_.blocks(archs[i]).size());
      out[i] = 1 - 0.3 / (1 + std::log1p(mmacs(space_, archs[i])) + 0.02 * blocks);
    }
  }
  const std::string& space_name() const override { return name_; }

 private:
  const lathe::space::Space& space_;
  std::string name_;
};

}  // namespace

int main() {
  const auto space = lathe::space::make_space("mbv3_28");

  // A latency model from a hundred nets, and the error to expect of it.
  lathe::Rng rng(1);
  std::vector<lathe::latency::LatencySample> samples;
  for (int i = 0; i < 100; ++i) {
    const lathe::space::Arch arch = space->canonical(space->sample(rng));
    const double ms = measured_ms(*space, arch);
    samples.push_back({.arch = arch, .median_ms = ms, .p90_ms = ms, .repeats = 1});
  }
  const lathe::latency::Fingerprint device{.device = "a formula",
                                           .runtime = "none",
                                           .precision = "float32",
                                           .space = space->name(),
                                           .in_channels = space->task().in_channels,
                                           .num_classes = space->task().num_classes,
                                           .input_size = space->task().input_size};
  constexpr auto kKind = lathe::latency::SumModelKind::kRidge;
  const auto latency = lathe::latency::fit_sum_model(kKind, *space, device, samples);
  if (const auto error = lathe::latency::cross_validated_error(kKind, *space, samples, 5)) {
    std::printf("latency model: %.2f%% off on nets that it was not fitted to\n", 100 * error->mape);
  }

  // All targets in one search; SearchOptions has strategies, limits and efforts.
  const MyPredictor accuracy(*space);
  const std::vector<double> targets_ms{0.4, 0.6, 0.8, 1.0, 1.2};
  const auto found = lathe::search::search_targets(*space, *latency, accuracy, targets_ms, {}, rng);
  for (const lathe::search::TargetResult& target : found.targets) {
    if (!target.feasible) {
      std::printf("%.1f ms: no net is that fast, the fastest takes %.3f\n", target.target_ms,
                  target.minimum_ms);
      continue;
    }
    const lathe::search::Candidate& best = target.candidates.front();
    std::printf("%.1f ms: %.3f ms, accuracy %.4f, %.1f MMACs: %s\n", target.target_ms,
                best.predicted_ms, best.predicted_accuracy, mmacs(*space, best.arch),
                space->to_json(best.arch).dump().c_str());
  }
}
