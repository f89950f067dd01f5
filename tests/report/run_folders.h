// Folders as lathe run and lathe train leave them, made without training or measuring.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "latency/table_by_macs.h"
#include "lathe/accuracy/sample.h"
#include "lathe/core/file.h"
#include "lathe/core/random.h"
#include "lathe/core/tensor_map.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/report/run_files.h"
#include "lathe/space/space_file.h"

namespace lathe::testing {

inline constexpr int kRunSamples = 30;
inline constexpr int kRunCandidates = 6;

/// A finished run in `folder`: two nets for three targets, one more infeasible.
class RunInFolder {
 public:
  explicit RunInFolder(const std::filesystem::path& folder)
      : folder_(folder),
        space_(space::open_space("mbv3_28")),
        table_(table_by_macs(*space_, fingerprint())) {
    write_file_atomic(folder_ / "config.toml",
                      "[run]\nbudget=600.000000\nmethod=\"deps\"\nmeasure=\"nets\"\nseed=7\n");
    write_json(folder_ / "train.json", train());
    write_metrics();
    write_checkpoint();
    table_.save(folder_ / "latency.json");
    mark_as_fitted();
    write_latency_samples();
    write_candidates();
    write_json(folder_ / "result.json", result());
    write_file_atomic(folder_ / "nets/0.1ms/model.onnx", std::string(1234, 'x'));
  }

  const space::Space& space() const { return *space_; }
  const latency::BlockTable& table() const { return table_; }
  std::vector<space::Arch> archs() const {
    Rng rng(5);
    std::vector<space::Arch> archs{space_->smallest(), space_->largest()};
    while (archs.size() < kRunSamples) archs.push_back(space_->sample(rng));
    return archs;
  }

  latency::Fingerprint fingerprint() const {
    return {.device = "test",
            .runtime = "torch 1.13.0 nchw",
            .precision = "float32",
            .space = space_->name(),
            .in_channels = 1,
            .num_classes = 10,
            .input_size = 28};
  }

  static nlohmann::ordered_json train() {
    return {{"version", 1},
            {"method", "deps"},
            {"space", "mbv3_28"},
            {"arch", nullptr},
            {"dataset",
             {{"name", "/home/someone/photos/"}, {"validation_size", 400}, {"image_size", 28}}},
            {"normalization", {{"mean", {0.5}}, {"stddev", {0.25}}}},
            {"seed", 7},
            {"epochs", 4}};
  }

  nlohmann::ordered_json target(double target_ms, const space::Arch& arch) const {
    return {{"target_ms", target_ms},
            {"feasible", true},
            {"predicted_ms", table_.predict_ms(arch)},
            {"measured_ms", 1.02 * table_.predict_ms(arch)},
            {"measured_p90_ms", 1.2 * table_.predict_ms(arch)},
            {"session_ms", {1.01 * table_.predict_ms(arch), 1.03 * table_.predict_ms(arch)}},
            {"within_target", true},
            {"predicted_accuracy", 0.91},
            {"validation_accuracy", 0.9},
            {"test_accuracy", 0.89},
            {"macs", 100},
            {"params", 10},
            {"input_size", 28},
            {"trained", "with the others"},
            {"replaced_ms", nlohmann::json::array()},
            {"arch", space_->to_json(arch)},
            {"dir", "nets/" + std::to_string(target_ms).substr(0, 3) + "ms"}};
  }

  nlohmann::ordered_json result() const {
    return {{"dataset", "photos"},
            {"device", latency::to_json(fingerprint())},
            {"latency_model", {{"samples", kRunSamples}, {"mape", 0.01}}},
            {"accuracy_predictor", {{"samples", 10}, {"rmse", 0.002}, {"kendall", 0.5}}},
            {"search", {{"evaluations", 100}, {"seconds", 0.1}}},
            {"seconds", 600.5},
            {"input_range", {0, 1}},
            {"input_colors", "gray"},
            {"classes", {"cat", "dog"}},
            {"targets",
             {{{"target_ms", 0.001}, {"feasible", false}, {"minimum_ms", 0.02}},
              target(0.1, space_->smallest()),
              target(0.5, space_->largest()),
              target(0.7, space_->largest())}}};
  }

 private:
  void mark_as_fitted() const {
    nlohmann::ordered_json json = nlohmann::ordered_json(read_json(folder_ / "latency.json"));
    json["fitted"] = true;
    write_json(folder_ / "latency.json", json);
  }

  void write_metrics() const {
    JsonLines lines(folder_ / "metrics.jsonl");
    for (int epoch = 1; epoch <= 4; ++epoch) {
      lines.append({{"step", 100 * epoch},
                    {"epoch", epoch},
                    {"loss", 2.0 / epoch},
                    {"learning_rate", 0.1 / epoch},
                    {"nets_per_step", epoch < 3 ? 1 : 4},
                    {"images_per_s", 1000},
                    {"largest_top1", 0.5 + 0.1 * epoch},
                    {"smallest_top1", 0.4 + 0.1 * epoch}});
    }
  }

  void write_checkpoint() const {
    save_safetensors(
        folder_ / "checkpoint/supernet.safetensors",
        {.tensors = {{"w", {{1}, {1.0F}}}},
         .metadata = {{"settings", R"({"strategy":{"method":"deps","total_steps":400,)"
                                   R"("warmup_share":0.55,"in_place_distillation":false}})"},
                      {"state", R"({"strategy":null})"}}});
  }

  void write_latency_samples() const {
    latency::SampleLog log(folder_ / "latency_samples.jsonl", *space_, fingerprint());
    for (const space::Arch& arch : archs()) {
      const double ms = table_.predict_ms(arch);
      log.append({.arch = arch,
                  .median_ms = ms,
                  .p90_ms = 1.1 * ms,
                  .repeats = 4,
                  .rounds_ms = {{0.99 * ms, ms}, {ms, 1.01 * ms}},
                  .anchor_ms = {0.2, 0.2}});
    }
  }

  void write_candidates() const {
    accuracy::SampleLog log(folder_ / "candidates.jsonl", *space_,
                            {.space = space_->name(),
                             .task = space_->task(),
                             .dataset = "photos",
                             .weights = "w",
                             .validation_images = 400});
    const std::vector<space::Arch> some = archs();
    for (int i = 0; i < kRunCandidates; ++i) {
      log.append({some[static_cast<std::size_t>(i)], 0.9 + 0.001 * i});
    }
  }

  std::filesystem::path folder_;
  std::shared_ptr<const space::Space> space_;
  latency::BlockTable table_;
};

}  // namespace lathe::testing
