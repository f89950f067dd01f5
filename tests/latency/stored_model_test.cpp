#include "lathe/latency/models/stored_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>

#include "core/temporary_folder.h"
#include "latency/latency_fixtures.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/latency/models/linear_model.h"
#include "lathe/latency/models/perceptron_model.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::fingerprint_of;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

std::unique_ptr<StoredLatencyModel> table_of(const space::Space& space) {
  BlockCosts costs{.fingerprint = fingerprint_of(space), .bias_ms = 0.5};
  Rng rng(1);
  for (const space::Block& block : space.distinct_blocks()) {
    costs.coefficients_ms[block.key()] = rng.uniform();
  }
  return std::make_unique<BlockTable>(space, costs);
}

std::unique_ptr<StoredLatencyModel> linear_of(const space::Space& space) {
  LinearCosts costs{.fingerprint = fingerprint_of(space), .bias_ms = 0.5};
  Rng rng(2);
  for (int i = 0; i < space.encoding_size(); ++i) {
    costs.weights_ms.push_back(rng.uniform());
    costs.area_weights_ms.push_back(rng.uniform());
  }
  return std::make_unique<LinearModel>(space, costs);
}

std::unique_ptr<StoredLatencyModel> perceptron_of(const space::Space& space,
                                                  std::unique_ptr<StoredLatencyModel> base) {
  Rng rng(3);
  const int inputs = space.encoding_size();
  std::vector<regress::DenseLayer> layers{{.inputs = inputs, .outputs = 4, .bias = {1, 2, 3, 4}},
                                          {.inputs = 4, .outputs = 1, .bias = {1}}};
  for (regress::DenseLayer& layer : layers) {
    for (int i = 0; i < layer.inputs * layer.outputs; ++i) {
      layer.weight.push_back(static_cast<float>(rng.normal()));
    }
  }
  return std::make_unique<PerceptronModel>(
      space,
      LatencyPerceptron{
          .fingerprint = fingerprint_of(space),
          .perceptron = regress::Perceptron(layers, regress::HiddenActivation::kSigmoid),
          .mean_ms = 4,
          .scale_ms = 0.5},
      std::move(base));
}

std::vector<std::unique_ptr<StoredLatencyModel>> one_of_each(const space::Space& space) {
  std::vector<std::unique_ptr<StoredLatencyModel>> models;
  models.push_back(table_of(space));
  models.push_back(linear_of(space));
  models.push_back(perceptron_of(space, nullptr));
  models.push_back(perceptron_of(space, table_of(space)));
  models.push_back(perceptron_of(space, linear_of(space)));
  return models;
}

TEST(StoredLatencyModelTest, EveryKindSavesAndLoads) {
  const TemporaryFolder dir;
  const TinySpace space;
  const ModelError error{30, 0.02, 0.1, 0.99, 0.95, 0.9, 1.0};
  for (const auto& model : one_of_each(space)) {
    for (const std::optional<ModelError>& validation : {std::optional(error), {}}) {
      model->set_validation(validation);
      model->save(dir / "model");
      const auto loaded = load_latency_model(space, dir / "model");
      EXPECT_EQ(loaded->validation(), validation);
      EXPECT_EQ(loaded->fingerprint(), fingerprint_of(space));
      EXPECT_EQ(fingerprint_of_model(dir / "model"), fingerprint_of(space));
      EXPECT_EQ(loaded->space_name(), "tiny");
      for (const space::Arch& arch : {space.smallest(), space.largest()}) {
        EXPECT_EQ(loaded->predict_ms(arch), model->predict_ms(arch));
      }
    }
  }
}

TEST(StoredLatencyModelTest, EveryKindPredictsInBatchesAndIsCorrected) {
  const TinySpace space;
  const std::vector<space::Arch> archs = lathe::testing::all_archs(space);
  for (const auto& model : one_of_each(space)) {
    model->set_validation(ModelError{.samples = 1});
    const auto corrected = model->with_correction({.bias_ms = -0.25, .scale = 2.0});
    EXPECT_FALSE(corrected->validation().has_value());
    std::vector<double> together(archs.size());
    model->predict_ms(archs, together);
    for (std::size_t i = 0; i < archs.size(); i += 37) {
      EXPECT_EQ(together[i], model->predict_ms(archs[i]));
      EXPECT_NEAR(corrected->predict_ms(archs[i]), 2 * together[i] - 0.25, 1e-9);
    }
    together.resize(3);
    EXPECT_THROW(model->predict_ms(archs, together), std::invalid_argument);
  }
}

TEST(StoredLatencyModelTest, AResidualAddsToItsBase) {
  const TinySpace space;
  const auto alone = perceptron_of(space, nullptr);
  const auto base = table_of(space);
  const auto both = perceptron_of(space, table_of(space));
  const space::Arch arch = space.largest();
  EXPECT_NEAR(both->predict_ms(arch), alone->predict_ms(arch) + base->predict_ms(arch), 1e-12);
}

TEST(LinearModelTest, IsASumOverTheEncodingAndItsArea) {
  const TinySpace space;
  const LinearModel model(space, dynamic_cast<const LinearModel&>(*linear_of(space)).costs());
  const space::Arch arch = space.smallest();  // input 16 of 24
  const std::vector<float> bits = space.encode(arch);
  double expected = 0.5;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    expected += bits[i] * (model.costs().weights_ms[i] +
                           16.0 * 16 / (24.0 * 24) * model.costs().area_weights_ms[i]);
  }
  EXPECT_NEAR(model.predict_ms(arch), expected, 1e-12);
}

TEST(LinearModelTest, RecoversALinearLatency) {
  const TinySpace space;
  const auto truth = linear_of(space);
  Rng rng(4);
  std::vector<LatencySample> samples;
  for (int i = 0; i < 400; ++i) {
    const space::Arch arch = space.sample(rng);
    const double ms = truth->predict_ms(arch);
    samples.push_back({.arch = arch, .median_ms = ms, .p90_ms = ms, .repeats = 1});
  }
  const auto all = std::span<const LatencySample>(samples);
  const LinearModel model = fit_linear_model(space, fingerprint_of(space), all.first(200));
  EXPECT_LT(model_error(model, all.subspan(200)).mape, 1e-3);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { fit_linear_model(space, {}, all.first(9)); }),
            "[latency::fit_linear_model] needs at least 10 samples, got 9");
}

TEST(StoredLatencyModelTest, RefusesOtherFiles) {
  const TemporaryFolder dir;
  const TinySpace space;
  const TinySpace other(2, "other");
  const std::string file = (dir / "m").string();
  for (const auto& model : one_of_each(space)) {
    model->save(dir / "m");
    EXPECT_NE(text_thrown<Error>([&] {
                load_latency_model(other, dir / "m");
              }).find(file + ": made for space \"tiny\""),
              std::string::npos);
  }
  write_file_atomic(dir / "m", "{\"format\": \"onnx\"}");
  EXPECT_EQ(text_thrown<Error>([&] { load_latency_model(space, dir / "m"); }),
            file +
                ": \"format\": expected a latency model (lathe-block-table, "
                "lathe-linear-latency or a perceptron), got \"onnx\"");
  linear_of(space)->save(dir / "m");
  for (const auto& [key, value, text] :
       std::vector<std::tuple<std::string, nlohmann::json, std::string>>{
           {"unit", "s", "\"unit\": expected \"ms\", got \"s\""},
           {"encoding", "bits", "\"encoding\": expected \"one-hot\", got \"bits\""},
           {"version", 2, "\"version\": expected 1, got 2"},
           {"weights_ms", {1.0}, "[latency::LinearModel] weights_ms must have 22 values, got 1"}}) {
    nlohmann::json json = read_json(dir / "m");
    json[key] = value;
    write_json(dir / "n", json);
    EXPECT_EQ(text_thrown<Error>([&] { load_latency_model(space, dir / "n"); }),
              (dir / "n").string() + ": " + text);
  }
}

TEST(StoredLatencyModelTest, SurvivesAnyBytes) {
  const TemporaryFolder dir;
  const TinySpace space;
  Rng rng(5);
  for (const auto& model : one_of_each(space)) {
    model->save(dir / "m");
    const std::string good = read_file(dir / "m");
    for (int i = 0; i < 150; ++i) {
      std::string bytes = good;
      for (std::uint32_t k = 0; k < 1 + rng.below(4); ++k) {
        bytes[rng.below(static_cast<std::uint32_t>(bytes.size()))] =
            static_cast<char>(rng.below(256));
      }
      if (rng.bernoulli(0.2)) {
        bytes.resize(rng.below(static_cast<std::uint32_t>(bytes.size())));
      }
      std::ofstream(dir / "m", std::ios::binary) << bytes;
      try {
        load_latency_model(space, dir / "m");
        fingerprint_of_model(dir / "m");
      } catch (const Error&) {
      }
    }
  }
}

TEST(StoredLatencyModelTest, RefusesPartsThatDontFit) {
  const TinySpace space;
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { LinearModel(space, {.weights_ms = {1}}); }),
            "[latency::LinearModel] weights_ms must have 22 values, got 1");
  const regress::Perceptron small({{.inputs = 2, .outputs = 1, .weight = {1, 1}, .bias = {0}}},
                                  regress::HiddenActivation::kRelu);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { PerceptronModel(space, {.perceptron = small}, nullptr); }),
            "[latency::PerceptronModel] the perceptron must have 22 inputs for space tiny, got 2");
}

}  // namespace
}  // namespace lathe::latency
