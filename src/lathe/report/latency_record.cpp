#include "lathe/report/latency_record.h"

#include <algorithm>
#include <span>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/latency/fit/ridge.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/space/same_net.h"

namespace lathe::report {
namespace {

using Json = nlohmann::ordered_json;
using Samples = std::vector<latency::LatencySample>;

constexpr const char* kModelName = "latency.json";
constexpr const char* kSamplesName = "latency_samples.jsonl";
// As lathe run draws its nets and divides them: a test holds them together.
constexpr std::uint64_t kNetsStream = 0x6c6174;
constexpr int kFolds = 5;
// Fitting again takes half a second with 300, and grows with the cube.
constexpr std::size_t kMostFittedAgain = 800;
constexpr std::size_t kMostShown = 2000;

/// Whether the model is the ridge that lathe run fits to the folder's nets.
bool is_ridge_of_nets(RunFiles& files) {
  const nlohmann::json json = files.json(kModelName);
  return text(json, "format") == "lathe-block-table" &&
         json.value("fitted", nlohmann::json()) == true &&
         files.option("measure").value_or("nets") == "nets" && !files.option("latency");
}

/// What models that didn't see a net say of it; nothing where they can't be fitted.
std::vector<double> held_out_ms(const space::Space& space, const Samples& samples,
                                std::uint64_t seed) {
  const std::vector<std::size_t> nets = space::number_nets(space, samples);
  const std::size_t in_fold = samples.size() - samples.size() / kFolds - 1;
  if (samples.size() > kMostFittedAgain || regress::num_groups(nets) < kFolds ||
      in_fold < latency::kMinRidgeSamples) {
    return {};
  }
  const std::uint64_t nets_seed = Rng::derived(seed, {kNetsStream}).next();
  const auto folds = regress::grouped_folds(nets, kFolds, nets_seed);
  return regress::out_of_fold(std::span(folds), [&](std::span<const std::size_t> train) {
    return [&, model = latency::fit_ridge(space, {}, regress::at_indices(samples, train),
                                          {.seed = nets_seed})](std::size_t i) {
      return model.predict_ms(samples[i].arch);
    };
  });
}

Json to_json(const latency::LatencySample& sample, std::optional<double> predicted_ms) {
  Json json{{"measured_ms", sample.median_ms}};
  if (predicted_ms) {
    json["predicted_ms"] = *predicted_ms;
  }
  std::vector<double> medians;
  for (const std::vector<double>& round : sample.rounds_ms) {
    if (!round.empty()) {
      medians.push_back(median(round));
    }
  }
  if (medians.size() > 1) {
    const auto [low, high] = std::ranges::minmax(medians);
    json["low_ms"] = low;
    json["high_ms"] = high;
  }
  return json;
}

Json anchors(const Samples& samples) {
  Json list = Json::array();
  for (const latency::LatencySample& sample : samples) {
    if (!sample.anchor_ms.empty()) {
      list.push_back(median(sample.anchor_ms));
    }
  }
  return list;
}

}  // namespace

std::unique_ptr<latency::StoredLatencyModel> latency_model_of(RunFiles& files,
                                                              const space::Space& space) {
  std::unique_ptr<latency::StoredLatencyModel> model;
  if (files.has(kModelName)) {
    files.noting([&] { model = latency::load_latency_model(space, files.root() / kModelName); });
  }
  return model;
}

nlohmann::ordered_json latency_record(RunFiles& files, const space::Space& space,
                                      const latency::StoredLatencyModel* model,
                                      std::uint64_t seed) {
  Samples samples;
  if (!files.has(kSamplesName) || !files.noting([&] {
        samples = latency::read_samples(files.root() / kSamplesName, space).samples;
      })) {
    return Json::object();
  }
  std::vector<double> predicted;
  if (is_ridge_of_nets(files)) {
    files.noting([&] { predicted = held_out_ms(space, samples, seed); });
  }
  Json record{{"held_out", !predicted.empty()}, {"samples", Json::array()}};
  if (predicted.empty() && model != nullptr) {
    files.noting([&] {
      for (const latency::LatencySample& sample : samples) {
        predicted.push_back(model->predict_ms(sample.arch));
      }
    });
  }
  for (std::size_t i = 0; i < std::min(samples.size(), kMostShown); ++i) {
    record["samples"].push_back(
        to_json(samples[i], i < predicted.size() ? std::optional(predicted[i]) : std::nullopt));
  }
  record["anchor_ms"] = anchors(samples);
  return record;
}

}  // namespace lathe::report
