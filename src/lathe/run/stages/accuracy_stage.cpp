#include "lathe/run/stages/accuracy_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/accuracy/width_scores.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/nn/threads.h"
#include "lathe/search/even_sample.h"
#include "lathe/train/predictors/collect_accuracy.h"
#include "lathe/train/predictors/fit_accuracy_predictor.h"

namespace lathe::run {
namespace {

constexpr std::uint64_t kSubnetStream = 0x616363;

// Subnets of a thread that share a pass over the images.
constexpr int kSubnetsPerPass = 4;

Predictor predictor_of(accuracy::PerceptronPredictor perceptron) {
  const auto fit = perceptron.fit();
  return {.model = std::make_unique<accuracy::PerceptronPredictor>(std::move(perceptron)),
          .rmse = fit.rmse,
          .kendall_tau = fit.kendall_tau,
          .samples = fit.samples};
}

Predictor predictor_of(accuracy::WidthScores scores) {
  const auto line = scores.calibration().value_or(accuracy::ScoreCalibration{});
  return {.model = std::make_unique<accuracy::WidthScores>(std::move(scores)),
          .rmse = line.rmse,
          .kendall_tau = line.kendall_tau,
          .samples = static_cast<int>(line.samples)};
}

/// The predictor that a run keeps in `folder`, if there is one.
std::optional<Predictor> kept(const space::Space& space, const std::filesystem::path& perceptron,
                              const std::filesystem::path& widths) {
  if (std::filesystem::exists(widths)) {
    return predictor_of(accuracy::WidthScores::load(space, widths));
  }
  if (std::filesystem::exists(perceptron)) {
    return predictor_of(accuracy::PerceptronPredictor::load(space, perceptron));
  }
  return {};
}

/// Of the nets as they are in 8 bits, on so many images of the set.
std::vector<train::Score> int8_scores(const Trained& trained, const train::Evaluator& evaluator,
                                      std::span<const graph::Graph> nets, const data::ImageSet& set,
                                      std::int64_t images, const Int8Options& options,
                                      nn::Workers& workers) {
  const Int8Evaluator int8(trained.dataset, options, trained.seed, trained.device());
  std::vector<train::Score> found(nets.size());
  std::atomic<std::size_t> next{0};
  workers.run([&](int) {
    for (std::size_t i = next++; i < nets.size(); i = next++) {
      found[i] =
          int8.score(int8.quantize(evaluator.extract(*trained.weights, nets[i])), set, images);
    }
  });
  return found;
}

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
  const data::ImageSet& set = options.on_test ? trained.dataset.test : trained.dataset.validation;
  const std::int64_t images = std::min(options.images, set.size());
  accuracy::SampleLog log(
      samples, space,
      {.space = space.name(),
       .task = space.task(),
       .dataset = trained.dataset.name + (options.on_test ? " (test)" : ""),
       .weights = content_hash(trained.weights->state()) + (options.int8 ? " in int8" : ""),
       .validation_images = images,
       .seed = trained.seed});
  nn::Workers workers(options.threads, /*threads_each=*/1);
  const auto evaluate = [&](std::span<const space::Arch> some) {
    std::vector<graph::Graph> graphs;
    for (const space::Arch& arch : some) {
      graphs.push_back(space.graph(arch));
    }
    return options.int8
               ? int8_scores(trained, evaluator, graphs, set, images, *options.int8, workers)
               : evaluator.calibrated_scores(*trained.weights, graphs, set, images, &workers);
  };
  return train::collect_accuracy(archs, evaluate, kSubnetsPerPass * options.threads, log, progress);
}

Predictor predict_accuracy(const Trained& trained, const latency::LatencyModel& latency,
                           const train::Evaluator& evaluator, const AccuracyOptions& options,
                           const std::filesystem::path& from, const RunFolder& folder,
                           const ProgressFn& progress) {
  const space::Space& space = *trained.space;
  const train::FitAccuracyOptions fit_options{
      .perceptron = options.fit, .folds = options.folds, .seed = trained.seed};
  if (options.folds < 2 ||
      static_cast<std::size_t>(options.samples) < train::min_accuracy_nets(fit_options)) {
    throw std::invalid_argument(
        "[run::predict_accuracy] needs at least 2 folds and 2 samples in each, got " +
        std::to_string(options.folds) + " and " + std::to_string(options.samples));
  }
  for (const std::filesystem::path& root : {from, folder.root()}) {
    if (auto predictor = kept(space, root / folder.accuracy_predictor().filename(),
                              root / folder.accuracy_of_widths().filename())) {
      return std::move(*predictor);
    }
  }
  Rng rng = Rng::derived(trained.seed, {kSubnetStream});
  const auto samples = evaluate_subnets(
      trained, evaluator, search::sample_evenly(space, latency, options.samples, rng),
      {.images = options.validation_images, .threads = options.threads}, folder.accuracy_samples(),
      progress);
  if (std::filesystem::exists(from / kScoresName)) {
    auto scores = accuracy::WidthScores::load(space, from / kScoresName).calibrated(samples);
    scores.save(folder.accuracy_of_widths());
    Predictor predictor = predictor_of(std::move(scores));
    progress({"accuracy", 0, 0,
              fmt::format("scores of widths against {} subnets: RMSE {:.2f} points, Kendall tau "
                          "{:.3f}",
                          predictor.samples, 100 * predictor.rmse, predictor.kendall_tau)});
    return predictor;
  }
  accuracy::PerceptronPredictor perceptron(
      space, train::fit_accuracy_predictor(space, samples, fit_options));
  perceptron.save(folder.accuracy_predictor());
  Predictor predictor = predictor_of(std::move(perceptron));
  progress(
      {"accuracy", 0, 0,
       fmt::format("predictor of {} subnets, held out in {} folds: RMSE {:.2f} points, "
                   "Kendall tau {:.3f}",
                   predictor.samples, options.folds, 100 * predictor.rmse, predictor.kendall_tau)});
  return predictor;
}

}  // namespace lathe::run
