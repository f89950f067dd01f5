#include "lathe/run/accuracy_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "lathe/search/even_sample.h"
#include "lathe/train/collect_accuracy.h"
#include "lathe/train/fit_accuracy_predictor.h"

namespace lathe::run {
namespace {

constexpr std::uint64_t kSubnetStream = 0x616363;

}  // namespace

accuracy::PerceptronPredictor predict_accuracy(const nn::SharedWeights& weights,
                                               const space::Space& space,
                                               const data::Dataset& dataset,
                                               const latency::LatencyModel& latency,
                                               const train::Evaluator& evaluator,
                                               const AccuracyOptions& options, std::uint64_t seed,
                                               const RunFolder& folder,
                                               const ProgressFn& progress) {
  const train::FitAccuracyOptions fit_options{
      .perceptron = options.fit, .folds = options.folds, .seed = seed};
  if (options.folds < 2 ||
      static_cast<std::size_t>(options.samples) < train::min_accuracy_nets(fit_options)) {
    throw std::invalid_argument(
        "[run::predict_accuracy] needs at least 2 folds and 2 samples in each, got " +
        std::to_string(options.folds) + " and " + std::to_string(options.samples));
  }
  if (std::filesystem::exists(folder.accuracy_predictor())) {
    return accuracy::PerceptronPredictor::load(space, folder.accuracy_predictor());
  }
  Rng rng = Rng::derived(seed, {kSubnetStream});
  const auto archs = search::sample_evenly(space, latency, options.samples, rng);
  accuracy::SampleLog log(
      folder.accuracy_samples(), space,
      {.space = space.name(),
       .task = space.task(),
       .dataset = dataset.name,
       .weights = content_hash(weights.state()),
       .validation_images = std::min(options.validation_images, dataset.validation.size()),
       .seed = seed});
  const auto samples = train::collect_accuracy(
      archs,
      [&](const space::Arch& arch) {
        return evaluator.validation_top1(weights, space.graph(arch), options.validation_images);
      },
      options.threads, log, progress);
  accuracy::PerceptronPredictor predictor(
      space, train::fit_accuracy_predictor(space, samples, fit_options));
  progress({"accuracy", 0, 0,
            fmt::format("predictor of {} subnets, held out in {} folds: RMSE {:.2f} points, "
                        "Kendall tau {:.3f}",
                        samples.size(), options.folds, 100 * predictor.fit().rmse,
                        predictor.fit().kendall_tau)});
  predictor.save(folder.accuracy_predictor());
  return predictor;
}

}  // namespace lathe::run
