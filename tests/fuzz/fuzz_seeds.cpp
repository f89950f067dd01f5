// Writes the corpora that the fuzzers begin with, a folder for each: files as Lathe itself writes
// them, which get past the first check of their loader. usage: lathe_fuzz_seeds FOLDER
#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "fuzz/family_spaces.h"
#include "fuzz/run_report_files.h"
#include "fuzz/seed_files.h"
#include "latency/latency_fixtures.h"
#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/accuracy/sample.h"
#include "lathe/accuracy/width_scores.h"
#include "lathe/core/file.h"
#include "lathe/core/tensor_map.h"
#include "lathe/latency/fit/additive.h"
#include "lathe/latency/fit/ridge.h"
#include "lathe/latency/models/linear_model.h"
#include "lathe/latency/models/perceptron_model.h"
#include "lathe/latency/samples/block_log.h"
#include "lathe/search/cells/cell_logits.h"
#include "lathe/search/cells/near_target.h"
#include "lathe/space/families/genotype.h"
#include "lathe/space/space_file.h"

namespace lathe::testing {
namespace {

using std::filesystem::path;

void write_archs(const path& folder) {
  Rng rng(1);
  const auto& spaces = family_spaces();
  for (std::size_t i = 0; i < spaces.size(); ++i) {
    for (const space::Arch& arch : {spaces[i]->smallest(), spaces[i]->sample(rng)}) {
      write_chosen(folder / "arch_json" /
                       (spaces[i]->name() + std::to_string(arch == spaces[i]->smallest())),
                   {i}, spaces[i]->to_json(arch).dump());
    }
  }
  write_file_atomic(
      folder / "genotype/darts",
      "DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
      "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
      "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
      "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
      "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=range(2, 6))");
  for (const char* name : {"mbv3_28", "ofa_resnet50d", "mobilenet_v1_widths", "resnet18_widths"}) {
    auto json = space::to_json(space::builtin_space_spec(name));
    json["name"] = "mine";
    write_json(folder / "space_file" / name, json);
  }
}

std::vector<latency::LatencySample> tiny_samples(const TinySpace& space, int count) {
  return samples_of(
      space, [](const space::Space& s, const space::Arch& a) { return 1.0 + s.encode(a)[0]; },
      count, 0.01, 1);
}

void write_measurements(const path& folder) {
  const TinySpace space;
  const latency::Fingerprint fingerprint = fingerprint_of(space);
  auto samples = tiny_samples(space, 12);
  samples[0].rounds_ms = {{1, 2}, {1.5}};
  for (auto& sample : samples) {
    sample.anchor_ms = {1, 1.1};
  }
  latency::SampleLog log(folder / "latency_samples/anchored", space, fingerprint);
  for (const auto& sample : samples) {
    log.append(sample);
  }
  latency::BlockLog blocks(folder / "block_log/blocks", space, fingerprint);
  for (const space::Block& block : space.distinct_blocks()) {
    blocks.append({block.key(), {1.5, 1.25}, {2, 2}});
  }
  accuracy::SampleLog accuracies(folder / "accuracy_samples/samples", space,
                                 {.space = space.name(),
                                  .task = space.task(),
                                  .dataset = "d",
                                  .weights = "w",
                                  .validation_images = 10});
  accuracies.append({space.smallest(), 0.5});
  accuracies.append({space.largest(), 0.75, 0.625});
  const std::string arch = space.to_json(space.smallest()).dump();
  std::string quoted_arch;
  for (const char c : arch) {
    quoted_arch += c == '"' ? "\"\"" : std::string(1, c);
  }
  write_file_atomic(folder / "csv_import/arch", "arch,ms\n\"" + quoted_arch + "\",1.5\n");
  write_file_atomic(folder / "csv_import/genes",
                    "ks,e,d,r,ms,note\n3 3 3 3,2 2 2 2,1 1,16,0.5,\"a, b\"\n");
}

std::vector<regress::DenseLayer> layers_of(int inputs) {
  std::vector<regress::DenseLayer> layers{{.inputs = inputs, .outputs = 2, .bias = {1, 2}},
                                          {.inputs = 2, .outputs = 1, .bias = {1}}};
  for (regress::DenseLayer& layer : layers) {
    layer.weight.assign(static_cast<std::size_t>(layer.inputs * layer.outputs), 0.25F);
  }
  return layers;
}

void write_models(const path& folder) {
  const TinySpace space;
  const latency::Fingerprint fingerprint = fingerprint_of(space);
  const auto samples = tiny_samples(space, 40);
  const path models = folder / "latency_model";
  latency::fit_additive(space, fingerprint, samples).table.save(models / "additive");
  latency::fit_ridge(space, fingerprint, samples).save(models / "ridge");
  latency::fit_linear_model(space, fingerprint, samples).save(models / "linear");
  const auto perceptron = [&](std::unique_ptr<latency::StoredLatencyModel> base) {
    return latency::PerceptronModel(
        space,
        {.fingerprint = fingerprint,
         .perceptron = regress::Perceptron(layers_of(space.encoding_size()),
                                           regress::HiddenActivation::kSigmoid),
         .mean_ms = 4,
         .scale_ms = 0.5},
        std::move(base));
  };
  perceptron(nullptr).save(models / "perceptron");
  perceptron(std::make_unique<latency::LinearModel>(
                 latency::fit_linear_model(space, fingerprint, samples)))
      .save(models / "residual");
  accuracy::PerceptronPredictor(
      space, {.perceptron = {layers_of(space.encoding_size()), regress::HiddenActivation::kRelu},
              .mean = 0.7,
              .scale = 0.1,
              .samples = 5})
      .save(folder / "perceptron_predictor/predictor");
  accuracy::WidthScoreTable scores;
  for (const space::Decision& decision : space.decisions()) {
    scores.emplace_back(static_cast<std::size_t>(decision.num_choices()),
                        accuracy::WidthScore{.mean = 0.5, .standard_error = 0.1, .count = 10});
  }
  accuracy::WidthScores(space, scores).save(folder / "width_scores/scores");
  for (const bool edges : {false, true}) {
    write_json(folder / "cell_logits" / std::to_string(edges),
               search::CellLogits::zero(2, edges).to_json());
  }
  const search::NearTarget near{
      .target = 1.5,
      .unit = "ms",
      .passed = {{7, 1.4, search::derive_cells(search::CellLogits::zero(2, false))}}};
  write_json(folder / "near_target/near", near.to_json());
  write_file_atomic(folder / "raw_chain/chain",
                    R"({"states": [2, 3, 1], "error": [[1, 2], [4, 8, 16], [32]],
        "latency_ms": [[[0.5, 1, 2], [4, 8, 16]], [[32], [64], [128]]]})");
  save_safetensors(folder / "safetensors/two",
                   {.tensors = {{"a", {{2, 2}, {1, 2, 3, 4}}}, {"b", {{1}, {5}}}},
                    .metadata = {{"format", "x"}}});
  write_file_atomic(folder / "json_lines/json", "{\"a\": [1, -2.5e3, true, null, \"\\u00e4\"]}\n");
}

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

void write_images(const path& folder) {
  write_file_atomic(folder / "idx/images", big_endian(0x803) + big_endian(2) + big_endian(3) +
                                               big_endian(3) + std::string(18, 'x'));
  write_file_atomic(folder / "idx/labels",
                    big_endian(0x801) + big_endian(2) + std::string("\1\2", 2));
  write_file_atomic(folder / "cifar/10", std::string(2 * 3073, '\1'));
  write_file_atomic(folder / "cifar/100", std::string(2 * 3074, '\1'));
  const cv::Mat image(12, 9, CV_8UC3, cv::Scalar(10, 200, 90));
  for (const char* name : {".png", ".jpg"}) {
    std::vector<unsigned char> bytes;
    cv::imencode(name, image, bytes);
    write_file_atomic(folder / "image_file" / (std::string("a") + name),
                      std::string(bytes.begin(), bytes.end()));
  }
  std::string table;
  for (const char* row :
       {"Conv-input:32x32x3-output:16x16x8",
        "expanded_conv-input:16x16x8-output:16x16x8-expand:8-kernel:3-stride:1-idskip:1-se:0-hs:1",
        "expanded_conv-input:16x16x8-output:8x8x16-expand:24-kernel:3-stride:2-idskip:0-se:0-hs:1",
        "Conv_1-input:8x8x16-output:8x8x32", "AvgPool2D-input:8x8x32-output:1x1x32",
        "Conv_2-input:1x1x32-output:1x1x48", "Logits-input:1x1x48-output:10"}) {
    table += std::string(row) + ":\n  count: 1\n  mean: 1.5\n  std: 0\n";
  }
  write_file_atomic(folder / "ofa_tables/table", table);
}

void write_run(const path& folder) {
  const TemporaryFolder run;
  RunInFolder made(run.path());
  for (std::size_t i = 0; i < kHostileRunFiles.size(); ++i) {
    if (const path file = run.path() / kHostileRunFiles[i]; std::filesystem::exists(file)) {
      write_chosen(folder / "run_report" / std::to_string(i), {i}, read_file(file));
    }
  }
}

}  // namespace
}  // namespace lathe::testing

int main(int argc, char** argv) {
  using namespace lathe::testing;
  return write_seeds(argc, argv, [](const std::filesystem::path& folder) {
    write_archs(folder);
    write_measurements(folder);
    write_models(folder);
    write_images(folder);
    write_run(folder);
  });
}
