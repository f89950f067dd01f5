#include "lathe/latency/fit/baselines.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/core/statistics.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/fit/calibrate.h"
#include "lathe/latency/models/linear_model.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/space/same_net.h"

namespace lathe::latency {
namespace {

constexpr int kBaselineFolds = 10;

/// The constant of least relative error: the median weighted by 1 / latency.
double best_constant(std::vector<double> values) {
  std::ranges::sort(values);
  double total = 0.0;
  for (const double value : values) {
    total += 1 / value;
  }
  double sum = 0.0;
  for (const double value : values) {
    sum += 1 / value;
    if (sum >= total / 2) {
      return value;
    }
  }
  return values.back();
}

std::vector<double> latencies_of(std::span<const LatencySample> samples) {
  std::vector<double> ms;
  for (const LatencySample& sample : samples) {
    ms.push_back(sample.median_ms);
  }
  return ms;
}

std::vector<double> macs_of(const space::Space& space, std::span<const LatencySample> samples) {
  std::vector<double> macs;
  for (const LatencySample& sample : samples) {
    macs.push_back(static_cast<double>(graph::macs(space.graph(sample.arch))) / 1e6);
  }
  return macs;
}

/// What the baselines look at, worked out once.
struct Table {
  Table(const space::Space& its_space, std::span<const LatencySample> its_samples)
      : space(its_space),
        samples(its_samples),
        ms(latencies_of(its_samples)),
        macs(macs_of(its_space, its_samples)) {}

  const space::Space& space;
  std::span<const LatencySample> samples;
  std::vector<double> ms;
  std::vector<double> macs;
};

struct Prediction {
  double mean = 0.0;
  double macs_linear = 0.0;
  double ridge = 0.0;
};

/// Baselines fitted to the rows `train` of a table: they predict any row of any.
class Baselines {
 public:
  Baselines(const Table& table, std::span<const std::size_t> train)
      : constant_(best_constant(regress::at_indices(table.ms, train))),
        line_(fit_correction(regress::at_indices(table.macs, train),
                             regress::at_indices(table.ms, train))),
        linear_(fit_linear_model(table.space, {}, regress::at_indices(table.samples, train))) {}

  Prediction predict(const Table& table, std::size_t i) const {
    return {.mean = constant_,
            .macs_linear = line_.apply(table.macs[i]),
            .ridge = linear_.predict_ms(table.samples[i].arch)};
  }

 private:
  double constant_;
  Correction line_;
  LinearModel linear_;
};

BaselineErrors errors(std::span<const Prediction> predictions, std::span<const double> measured) {
  const auto error = [&](double Prediction::*of) {
    std::vector<double> predicted;
    for (const Prediction& prediction : predictions) {
      predicted.push_back(prediction.*of);
    }
    return model_error(predicted, measured);
  };
  return {.mean = error(&Prediction::mean),
          .macs_linear = error(&Prediction::macs_linear),
          .ridge = error(&Prediction::ridge)};
}

/// Between the medians of the even and of the odd turns, relative; nothing with fewer than 2 turns.
std::optional<double> difference_of_turns(const LatencySample& sample) {
  std::vector<double> halves[2];
  for (std::size_t turn = 0; turn < sample.rounds_ms.size(); ++turn) {
    halves[turn % 2].insert(halves[turn % 2].end(), sample.rounds_ms[turn].begin(),
                            sample.rounds_ms[turn].end());
  }
  if (halves[0].empty() || halves[1].empty()) {
    return std::nullopt;
  }
  const double even = median(halves[0]);
  const double odd = median(halves[1]);
  return 2 * std::abs(even - odd) / (even + odd);
}

}  // namespace

nlohmann::ordered_json to_json(const BaselineErrors& errors) {
  return {{"mean", to_json(errors.mean)},
          {"macs_linear", to_json(errors.macs_linear)},
          {"ridge", to_json(errors.ridge)}};
}

BaselineErrors baseline_errors(const space::Space& space, std::span<const LatencySample> train,
                               std::span<const LatencySample> validation) {
  std::vector<std::size_t> all(train.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const Baselines baselines(Table(space, train), all);
  const Table table(space, validation);
  std::vector<Prediction> predictions;
  for (std::size_t i = 0; i < validation.size(); ++i) {
    predictions.push_back(baselines.predict(table, i));
  }
  return errors(predictions, table.ms);
}

BaselineErrors cross_validated_baselines(const space::Space& space,
                                         std::span<const LatencySample> validation) {
  const std::vector<std::size_t> nets = number_nets(space, validation);
  if (regress::num_groups(nets) < kMinCrossValidatedNets) {
    throw std::invalid_argument("[latency::cross_validated_baselines] needs samples of at least " +
                                std::to_string(kMinCrossValidatedNets) + " nets, got " +
                                std::to_string(regress::num_groups(nets)));
  }
  const Table table(space, validation);
  const auto folds = regress::grouped_folds(nets, kBaselineFolds);
  const auto predictions =
      regress::out_of_fold(std::span(folds), [&](std::span<const std::size_t> train) {
        return [&, baselines = Baselines(table, train)](std::size_t i) {
          return baselines.predict(table, i);
        };
      });
  return errors(predictions, table.ms);
}

nlohmann::ordered_json to_json(const Repeatability& r) {
  nlohmann::ordered_json json{{"between_runs", nullptr},
                              {"repeated_nets", r.repeated_nets},
                              {"between_turns", nullptr},
                              {"within_run", nullptr}};
  if (r.between_runs) json["between_runs"] = *r.between_runs;
  if (r.between_turns) json["between_turns"] = *r.between_turns;
  if (r.within_run) json["within_run"] = *r.within_run;
  return json;
}

Repeatability repeatability(std::span<const LatencySample> samples) {
  std::map<space::Arch, std::vector<double>> by_arch;
  std::vector<double> within;
  std::vector<double> turns;
  for (const LatencySample& sample : samples) {
    if (const auto difference = difference_of_turns(sample)) {
      // Each half has twice the whole's variance, and their difference four times.
      turns.push_back(*difference / 2);
    }
    by_arch[sample.arch].push_back(sample.median_ms);
    if (sample.repeats > 1) {
      // Of a normal distribution: the 90% quantile is 1.2816 deviations up, a median of n has a
      // deviation of sqrt(pi / 2 n), and the mean absolute error is sqrt(2 / pi) deviations.
      const double deviation = std::max(0.0, sample.p90_ms - sample.median_ms) / 1.2816;
      within.push_back(deviation / std::sqrt(sample.repeats) / sample.median_ms);
    }
  }
  Repeatability result;
  std::vector<double> between;
  for (const auto& [arch, ms] : by_arch) {
    for (std::size_t i = 1; i < ms.size(); ++i) {
      between.push_back(2 * std::abs(ms[i] - ms[i - 1]) / (ms[i] + ms[i - 1]) /
                        std::numbers::sqrt2);
    }
    result.repeated_nets += ms.size() > 1 ? 1 : 0;
  }
  if (!between.empty()) result.between_runs = mean(between);
  if (!turns.empty()) result.between_turns = mean(turns);
  if (!within.empty()) result.within_run = mean(within);
  return result;
}

}  // namespace lathe::latency
