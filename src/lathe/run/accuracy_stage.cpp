#include "lathe/run/accuracy_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/nn/threads.h"
#include "lathe/search/even_sample.h"
#include "lathe/train/collect_accuracy.h"
#include "lathe/train/fit_accuracy_predictor.h"

namespace lathe::run {
namespace {

constexpr std::uint64_t kSubnetStream = 0x616363;

// Subnets of a thread that share a pass over the images.
constexpr int kSubnetsPerPass = 4;

}  // namespace

std::vector<accuracy::AccuracySample> evaluate_subnets(const Trained& trained,
                                                       const train::Evaluator& evaluator,
                                                       std::span<const space::Arch> archs,
                                                       const EvaluateSubnetsOptions& options,
                                                       const std::filesystem::path& samples,
                                                       const ProgressFn& progress) {
  if (trained.arch) {
    throw Error(
        "the run trained one net alone, which has no subnets; train a supernet "
        "(--method deps)");
  }
  const space::Space& space = *trained.space;
  const std::int64_t images =
      std::min(options.validation_images, trained.dataset.validation.size());
  accuracy::SampleLog log(samples, space,
                          {.space = space.name(),
                           .task = space.task(),
                           .dataset = trained.dataset.name,
                           .weights = content_hash(trained.weights->state()),
                           .validation_images = images,
                           .seed = trained.seed});
  nn::Workers workers(options.threads, /*threads_each=*/1);
  const auto evaluate = [&](std::span<const space::Arch> some) {
    std::vector<graph::Graph> graphs;
    for (const space::Arch& arch : some) {
      graphs.push_back(space.graph(arch));
    }
    return evaluator.validation_top1(*trained.weights, graphs, images, &workers);
  };
  return train::collect_accuracy(archs, evaluate, kSubnetsPerPass * options.threads, log, progress);
}

accuracy::PerceptronPredictor predict_accuracy(
    const Trained& trained, const latency::LatencyModel& latency, const train::Evaluator& evaluator,
    const AccuracyOptions& options, const RunFolder& folder, const ProgressFn& progress) {
  const space::Space& space = *trained.space;
  const train::FitAccuracyOptions fit_options{
      .perceptron = options.fit, .folds = options.folds, .seed = trained.seed};
  if (options.folds < 2 ||
      static_cast<std::size_t>(options.samples) < train::min_accuracy_nets(fit_options)) {
    throw std::invalid_argument(
        "[run::predict_accuracy] needs at least 2 folds and 2 samples in each, got " +
        std::to_string(options.folds) + " and " + std::to_string(options.samples));
  }
  if (std::filesystem::exists(folder.accuracy_predictor())) {
    return accuracy::PerceptronPredictor::load(space, folder.accuracy_predictor());
  }
  Rng rng = Rng::derived(trained.seed, {kSubnetStream});
  const auto samples = evaluate_subnets(
      trained, evaluator, search::sample_evenly(space, latency, options.samples, rng),
      {.validation_images = options.validation_images, .threads = options.threads},
      folder.accuracy_samples(), progress);
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
