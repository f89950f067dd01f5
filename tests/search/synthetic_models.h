// Models with the structure of real ones and no need of measurements.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/core/random.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/space/slot_costs.h"
#include "lathe/space/space.h"

namespace lathe::testing {

/// A sum over blocks of area times a random factor for what the block does.
class SyntheticLatency : public latency::LatencyModel {
 public:
  SyntheticLatency(const space::Space& space, std::uint64_t seed) : space_(space), seed_(seed) {}

  using LatencyModel::predict_ms;
  double predict_ms(const space::Arch& arch) const override {
    double sum_ms = kConstantMs;
    for (const space::Block& block : space_.blocks(arch)) {
      sum_ms += block_ms(block);
    }
    return sum_ms;
  }
  const std::string& space_name() const override { return space_.name(); }

 protected:
  static constexpr double kConstantMs = 0.1;
  double block_ms(const space::Block& block) const {
    Rng rng = Rng::derived(seed_, {static_cast<std::uint64_t>(block.kernel),
                                   static_cast<std::uint64_t>(block.mid_channels),
                                   std::hash<std::string>()(block.name)});
    return block.input.height * block.input.width * (0.2 + rng.uniform()) * 1e-3;
  }

 private:
  const space::Space& space_;
  std::uint64_t seed_;
};

/// The same, and it says that it is a sum.
class AdditiveLatency : public SyntheticLatency {
 public:
  AdditiveLatency(const space::Space& space, std::uint64_t seed)
      : SyntheticLatency(space, seed),
        costs_(
            space, [this](const space::Block& block) { return block_ms(block); }, kConstantMs) {}

  using LatencyModel::predict_ms;
  double predict_ms(const space::Arch& arch) const override { return costs_.total(arch); }
  const space::SlotCosts* slot_costs() const override { return &costs_; }

 private:
  space::SlotCosts costs_;
};

/// Bigger is better on the whole, with random effects of decisions and of pairs of them.
class SyntheticAccuracy : public accuracy::AccuracyPredictor {
 public:
  SyntheticAccuracy(const space::Space& space, std::uint64_t seed) : space_(space) {
    Rng rng(seed);
    const auto size = static_cast<std::size_t>(space.encoding_size());
    single_.resize(size);
    pair_.resize(size * size);
    for (double& value : single_) {
      value = rng.normal();
    }
    for (double& value : pair_) {
      value = 0.2 * rng.normal();
    }
  }

  using AccuracyPredictor::predict;
  void predict(std::span<const space::Arch> archs, std::span<double> out) const override {
    for (std::size_t n = 0; n < archs.size(); ++n) {
      const std::vector<float> bits = space_.encode(archs[n]);
      double sum = 0;
      for (const std::uint8_t choice : archs[n].choices) {
        sum += choice;
      }
      for (std::size_t i = 0; i < bits.size(); ++i) {
        for (std::size_t j = 0; bits[i] > 0 && j < bits.size(); ++j) {
          sum += bits[j] > 0 ? pair_[i * bits.size() + j] + (i == j ? single_[i] : 0) : 0;
        }
      }
      out[n] = 1 / (1 + std::exp(-0.1 * sum));
    }
  }
  const std::string& space_name() const override { return space_.name(); }

 protected:
  /// Up to a factor: before the squashing, with the linear part of "bigger is better".
  std::vector<float> slopes(const space::Arch& arch) const {
    const std::vector<float> bits = space_.encode(arch);
    std::vector<float> result;
    for (const space::Decision& decision : space_.decisions()) {
      for (int c = 0; c < decision.num_choices(); ++c) {
        const std::size_t i = result.size();
        double slope = single_[i] + c;
        for (std::size_t j = 0; j < bits.size(); ++j) {
          slope += bits[j] > 0 ? pair_[i * bits.size() + j] + pair_[j * bits.size() + i] : 0;
        }
        result.push_back(static_cast<float>(slope));
      }
    }
    return result;
  }

 private:
  const space::Space& space_;
  std::vector<double> single_;
  std::vector<double> pair_;
};

/// The same, and it says what each choice contributes.
class ExplainedAccuracy : public SyntheticAccuracy {
 public:
  using SyntheticAccuracy::SyntheticAccuracy;
  std::vector<float> choice_effects(std::span<const space::Arch> archs) const override {
    std::vector<float> effects;
    for (const space::Arch& arch : archs) {
      const std::vector<float> row = slopes(arch);
      effects.insert(effects.end(), row.begin(), row.end());
    }
    return effects;
  }
};

}  // namespace lathe::testing
