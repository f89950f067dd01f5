#include "lathe/run/accuracy_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/nn/threads.h"
#include "lathe/search/even_sample.h"

namespace lathe::run {
namespace {

constexpr std::uint64_t kSubnetStream = 0x616363;

struct Samples {
  std::vector<space::Arch> archs;
  std::vector<double> accuracies;
};

Samples collect(const nn::SharedWeights& weights, const space::Space& space,
                const latency::LatencyModel& latency, const train::Evaluator& evaluator,
                const AccuracyOptions& options, std::uint64_t seed, const RunFolder& folder,
                const ProgressFn& progress) {
  Rng rng = Rng::derived(seed, {kSubnetStream});
  Samples samples{search::sample_evenly(space, latency, options.samples, rng), {}};
  JsonLines log(folder.accuracy_samples());
  const std::string where = folder.accuracy_samples().string();
  for (const nlohmann::json& line : log.read()) {
    const std::size_t next = samples.accuracies.size();
    if (next == samples.archs.size() ||
        space.from_json(json_member<nlohmann::json>(line, "arch", where), where) !=
            samples.archs[next]) {
      throw Error(where + ": line " + std::to_string(next + 1) +
                  " is not the subnet this run draws; use another --out");
    }
    samples.accuracies.push_back(json_member<double>(line, "accuracy", where));
  }
  nn::Workers workers(options.threads, /*threads_each=*/1);
  while (samples.accuracies.size() < samples.archs.size()) {
    const std::size_t first = samples.accuracies.size();
    const std::size_t count =
        std::min(samples.archs.size() - first, static_cast<std::size_t>(options.threads));
    std::vector<double> found(count);
    workers.run([&](int worker) {
      const auto at = static_cast<std::size_t>(worker);
      if (at < count) {
        found[at] = evaluator.validation_top1(weights, space.graph(samples.archs[first + at]),
                                              options.validation_images);
      }
    });
    for (std::size_t i = 0; i < count; ++i) {
      const space::Arch& arch = samples.archs[first + i];
      log.append({{"arch", space.to_json(arch)},
                  {"predicted_ms", latency.predict_ms(arch)},
                  {"accuracy", found[i]}});
      samples.accuracies.push_back(found[i]);
    }
    progress({"accuracy", static_cast<std::int64_t>(samples.accuracies.size()), options.samples,
              fmt::format("top-1 {:.2f}%", 100 * found.back())});
  }
  return samples;
}

/// A perceptron for standardised accuracies of the samples for which `use(i)`.
template <typename Use>
accuracy::PredictorFit fit(const space::Space& space, const Samples& samples,
                           const train::FitPerceptronOptions& options, Use use) {
  std::vector<float> inputs;
  std::vector<double> chosen;
  for (std::size_t i = 0; i < samples.archs.size(); ++i) {
    if (use(i)) {
      const std::vector<float> bits = space.encode(samples.archs[i]);
      inputs.insert(inputs.end(), bits.begin(), bits.end());
      chosen.push_back(samples.accuracies[i]);
    }
  }
  const double centre = mean(chosen);
  double variance = 0;
  for (double value : chosen) {
    variance += (value - centre) * (value - centre) / static_cast<double>(chosen.size());
  }
  const double scale = variance > 0 ? std::sqrt(variance) : 1.0;
  std::vector<float> targets;
  for (double value : chosen) {
    targets.push_back(static_cast<float>((value - centre) / scale));
  }
  return {.perceptron = train::fit_perceptron(inputs, targets, options),
          .mean = centre,
          .scale = scale,
          .samples = static_cast<int>(chosen.size())};
}

/// What a predictor that never saw a sample says of it, for every sample.
std::vector<double> cross_validated(const space::Space& space, const Samples& samples,
                                    const AccuracyOptions& options) {
  std::vector<double> predicted(samples.archs.size());
  const auto folds = static_cast<std::size_t>(options.folds);
  for (std::size_t fold = 0; fold < folds; ++fold) {
    const accuracy::PerceptronPredictor predictor(
        space, fit(space, samples, options.fit, [&](std::size_t i) { return i % folds != fold; }));
    for (std::size_t i = fold; i < predicted.size(); i += folds) {
      predicted[i] = predictor.predict(samples.archs[i]);
    }
  }
  return predicted;
}

}  // namespace

accuracy::PerceptronPredictor predict_accuracy(const nn::SharedWeights& weights,
                                               const space::Space& space,
                                               const latency::LatencyModel& latency,
                                               const train::Evaluator& evaluator,
                                               const AccuracyOptions& options, std::uint64_t seed,
                                               const RunFolder& folder,
                                               const ProgressFn& progress) {
  if (options.folds < 2 || options.samples < 2 * options.folds) {
    throw std::invalid_argument(
        "[run::predict_accuracy] needs at least 2 folds and 2 samples in each, got " +
        std::to_string(options.folds) + " and " + std::to_string(options.samples));
  }
  if (std::filesystem::exists(folder.accuracy_predictor())) {
    return accuracy::PerceptronPredictor::load(space, folder.accuracy_predictor());
  }
  const Samples samples =
      collect(weights, space, latency, evaluator, options, seed, folder, progress);
  const std::vector<double> held_out = cross_validated(space, samples, options);
  accuracy::PredictorFit all = fit(space, samples, options.fit, [](std::size_t) { return true; });
  all.rmse = root_mean_square_error(held_out, samples.accuracies);
  all.kendall_tau = kendall_tau(held_out, samples.accuracies);
  accuracy::PerceptronPredictor predictor(space, std::move(all));
  progress({"accuracy", 0, 0,
            fmt::format("predictor of {} subnets, held out in {} folds: RMSE {:.2f} points, "
                        "Kendall tau {:.3f}",
                        samples.archs.size(), options.folds, 100 * predictor.fit().rmse,
                        predictor.fit().kendall_tau)});
  predictor.save(folder.accuracy_predictor());
  return predictor;
}

}  // namespace lathe::run
