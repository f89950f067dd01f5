#include "lathe/search/models.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/latency/models/block_table.h"
#include "published_data.h"

namespace lathe::search {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;

constexpr const char* kSpace = "ofa_mbv3_w1.0";

class ModelsTest : public ::testing::Test {
 protected:
  std::filesystem::path write_latency(const std::vector<int>& resolutions) const {
    const auto space = space::make_space(kSpace, {.resolutions = resolutions});
    latency::BlockCosts costs{.fingerprint = {.device = "cpu",
                                              .runtime = "torch",
                                              .precision = "float32",
                                              .space = kSpace},
                              .bias_ms = 0.5};
    Rng rng(1);
    for (const space::Block& block : space->distinct_blocks()) {
      costs.coefficients_ms[block.key()] = rng.uniform();
    }
    latency::BlockTable(*space, costs).save(dir_ / "latency.json");
    return dir_ / "latency.json";
  }

  std::filesystem::path write_accuracy(const std::vector<int>& resolutions) const {
    const auto space = space::make_space(kSpace, {.resolutions = resolutions});
    regress::DenseLayer layer{.inputs = space->encoding_size(), .outputs = 1, .bias = {0.5F}};
    Rng rng(2);
    for (int i = 0; i < layer.inputs; ++i) {
      layer.weight.push_back(static_cast<float>(0.005 * rng.uniform()));
    }
    accuracy::PerceptronPredictor(*space,
                                  {.perceptron = {{layer}, regress::HiddenActivation::kRelu}})
        .save(dir_ / "accuracy.safetensors");
    return dir_ / "accuracy.safetensors";
  }

  TemporaryFolder dir_;
};

TEST_F(ModelsTest, TheSpaceHasTheResolutionsThatBothCover) {
  const auto latency_path = write_latency({160, 176, 192});
  const auto accuracy_path = write_accuracy({176, 192, 224});
  const Models models =
      load_models(kSpace, {}, {.latency = latency_path, .accuracy = accuracy_path});
  EXPECT_EQ(models.space->name(), kSpace);
  EXPECT_EQ(models.space->input_sizes(), (std::vector<int>{176, 192}));
  EXPECT_EQ(models.left_out.size(), 23U);

  const auto whole = space::make_space(kSpace);
  const auto latency = latency::BlockTable::load(*whole, latency_path);
  const auto accuracy = accuracy::PerceptronPredictor::load(*whole, accuracy_path);
  Rng rng(3);
  for (int i = 0; i < 50; ++i) {
    const space::Arch arch = models.space->sample(rng);
    const space::Arch in_whole = whole->from_json(models.space->to_json(arch), "");
    ASSERT_EQ(models.latency->predict_ms(arch), latency.predict_ms(in_whole));
    ASSERT_EQ(models.latency->slot_costs()->total(arch), latency.predict_ms(in_whole));
    ASSERT_EQ(models.accuracy->predict(arch), accuracy.predict(in_whole));
  }
}

TEST_F(ModelsTest, EachMayBeLeftOut) {
  const Models latency = load_models(kSpace, {}, {.latency = write_latency({160, 224})});
  EXPECT_EQ(latency.space->input_sizes(), (std::vector<int>{160, 224}));
  EXPECT_EQ(latency.accuracy, nullptr);
  const Models accuracy = load_models(kSpace, {}, {.accuracy = write_accuracy({128, 132})});
  EXPECT_EQ(accuracy.space->input_sizes(), (std::vector<int>{128, 132}));
  EXPECT_EQ(accuracy.latency, nullptr);
  EXPECT_GT(accuracy.accuracy->predict(accuracy.space->largest()), 0.5);
}

TEST_F(ModelsTest, ModelsOfTheWholeSpaceLeaveItAsItIs) {
  const std::vector<int> both{160, 224};
  const Models models =
      load_models(kSpace, {.resolutions = both}, {.latency = write_latency(both)});
  EXPECT_EQ(models.space->input_sizes(), both);
  EXPECT_TRUE(models.left_out.empty());
}

TEST_F(ModelsTest, NothingInCommonIsRefused) {
  const auto latency = write_latency({160});
  const auto accuracy = write_accuracy({224});
  EXPECT_EQ(text_thrown<Error>(
                [&] { load_models(kSpace, {}, {.latency = latency, .accuracy = accuracy}); }),
            latency.string() + " and " + accuracy.string() +
                ": no resolution of space ofa_mbv3_w1.0 is covered by both");
  EXPECT_EQ(text_thrown<Error>(
                [&] { load_models(kSpace, {.resolutions = {192}}, {.accuracy = accuracy}); }),
            accuracy.string() + ": no resolution of space ofa_mbv3_w1.0 is covered");
}

TEST_F(ModelsTest, FoldersAndYamlFilesAreOfaTables) {
  EXPECT_TRUE(are_ofa_tables(dir_ / ""));
  EXPECT_TRUE(are_ofa_tables("i7.yaml"));
  EXPECT_FALSE(are_ofa_tables(write_latency({160})));
}

TEST(PublishedModelsTest, AreSearchedAtTheirFiveResolutions) {
  const auto data = lathe::testing::published_data();
  if (!data) {
    GTEST_SKIP() << "LATHE_PUBLISHED_DATA is not set";
  }
  const Models models =
      load_models("ofa_mbv3_w1.2", {},
                  {.latency = *data / "ofa_note10",
                   .accuracy = *data / "ofa_note10/accuracy_predictor.safetensors"});
  EXPECT_EQ(models.space->input_sizes(), (std::vector<int>{160, 176, 192, 208, 224}));
  for (const auto& net : lathe::testing::golden_nets(*data)) {
    const space::Arch arch = models.space->from_json(net.arch, "golden.csv");
    EXPECT_NEAR(models.latency->slot_costs()->total(arch), net.latency_ms, 0.005 + 1e-9);
    EXPECT_NEAR(100 * models.accuracy->predict(arch), net.accuracy_percent, 0.005 + 1e-4);
  }
}

}  // namespace
}  // namespace lathe::search
