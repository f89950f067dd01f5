// Model files for lathe search that need neither measurements nor training.
#pragma once

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/core/random.h"
#include "lathe/space/space.h"
#include "run/stage_fixtures.h"

namespace lathe::testing {

struct SyntheticModelFiles {
  std::filesystem::path latency;
  std::filesystem::path accuracy;
};

/// A small perceptron that on the whole likes more of everything.
inline accuracy::PredictorFit synthetic_fit(const space::Space& space) {
  Rng rng(7);
  std::vector<regress::DenseLayer> layers;
  int width = space.encoding_size();
  for (const int outputs : {16, 1}) {
    regress::DenseLayer layer{.inputs = width, .outputs = outputs, .weight = {}, .bias = {}};
    for (int o = 0; o < outputs; ++o) {
      for (const space::Decision& decision : space.decisions()) {
        for (int c = 0; outputs > 1 && c < decision.num_choices(); ++c) {
          layer.weight.push_back(static_cast<float>(0.1 * rng.normal() + 0.1 * c));
        }
      }
      layer.weight.resize(static_cast<std::size_t>((o + 1) * width), 0.2F);
      layer.bias.push_back(0.1F);
    }
    layers.push_back(layer);
    width = outputs;
  }
  return {.perceptron = {std::move(layers), regress::HiddenActivation::kRelu},
          .mean = 0.6,
          .scale = 0.005,
          .samples = 500,
          .rmse = 0.003,
          .kendall_tau = 0.88};
}

/// A block table by multiply-accumulates and synthetic_fit().
inline SyntheticModelFiles write_synthetic_models(const space::Space& space,
                                                  const std::filesystem::path& folder) {
  const SyntheticModelFiles files{.latency = folder / "latency.json",
                                  .accuracy = folder / "accuracy.safetensors"};
  table_by_macs(space, {.device = "nothing real",
                        .runtime = "none",
                        .precision = "float32",
                        .batch = 1,
                        .threads = 1,
                        .space = space.name(),
                        .in_channels = space.task().in_channels,
                        .num_classes = space.task().num_classes,
                        .input_size = space.task().input_size})
      .save(files.latency);
  accuracy::PerceptronPredictor(space, synthetic_fit(space)).save(files.accuracy);
  return files;
}

}  // namespace lathe::testing
