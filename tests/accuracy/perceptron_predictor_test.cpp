#include "lathe/accuracy/perceptron_predictor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/tensor_map.h"
#include "lathe/space/builtin_spaces.h"
#include "published_data.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::accuracy {
namespace {

using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

PredictorFit random_fit(int inputs) {
  Rng rng(4);
  std::vector<regress::DenseLayer> layers;
  int width = inputs;
  for (const int outputs : {9, 1}) {
    regress::DenseLayer layer{.inputs = width, .outputs = outputs, .weight = {}, .bias = {}};
    for (int i = 0; i < width * outputs; ++i) {
      layer.weight.push_back(static_cast<float>(0.5 * rng.normal()));
    }
    layer.bias.assign(static_cast<std::size_t>(outputs), 0.25F);
    layers.push_back(layer);
    width = outputs;
  }
  return {.perceptron = {std::move(layers), regress::HiddenActivation::kRelu},
          .mean = 0.7,
          .scale = 0.1 / 3,
          .samples = 500,
          .rmse = 0.003,
          .kendall_tau = 0.88};
}

TEST(PerceptronPredictorTest, IsThePerceptronOfTheEncodingRescaled) {
  const TinySpace space;
  const PerceptronPredictor predictor(space, random_fit(space.encoding_size()));
  EXPECT_EQ(predictor.space_name(), "tiny");
  Rng rng(1);
  std::vector<space::Arch> archs(2500);  // more than one chunk
  for (space::Arch& arch : archs) {
    arch = space.sample(rng);
  }
  std::vector<double> together(archs.size());
  predictor.predict(archs, together);
  for (std::size_t i = 0; i < archs.size(); ++i) {
    const float raw = predictor.fit().perceptron.predict(space.encode(archs[i])).front();
    ASSERT_DOUBLE_EQ(together[i], 0.7 + 0.1 / 3 * static_cast<double>(raw));
    ASSERT_EQ(predictor.predict(archs[i]), together[i]);
  }
}

TEST(PerceptronPredictorTest, StaysInZeroToOne) {
  const TinySpace space;
  PredictorFit fit = random_fit(space.encoding_size());
  fit.mean = 5;
  EXPECT_EQ(PerceptronPredictor(space, fit).predict(space.largest()), 1.0);
  fit.mean = -5;
  EXPECT_EQ(PerceptronPredictor(space, fit).predict(space.largest()), 0.0);
}

TEST(PerceptronPredictorTest, EffectsOfALinearPredictorAreItsWeights) {
  const TinySpace space;
  const int inputs = space.encoding_size();
  std::vector<float> weights;
  for (int i = 0; i < inputs; ++i) {
    weights.push_back(0.25F * static_cast<float>(i));
  }
  const PerceptronPredictor predictor(
      space, {.perceptron = {{{inputs, 1, weights, {1.0F}}}, regress::HiddenActivation::kRelu},
              .scale = 0.5});
  const std::vector<space::Arch> archs{space.smallest(), space.largest()};
  const std::vector<float> effects = predictor.choice_effects(archs);
  ASSERT_EQ(effects.size(), 2 * weights.size());
  for (std::size_t i = 0; i < effects.size(); ++i) {
    EXPECT_EQ(effects[i], 0.5F * weights[i % weights.size()]) << i;
  }
}

TEST(PerceptronPredictorTest, KnowsNoEffectsOfChoicesThatAreNotWhatIsEncoded) {
  const auto space = space::make_space("darts_c4_l3");
  const PerceptronPredictor predictor(*space, random_fit(space->encoding_size()));
  EXPECT_TRUE(predictor.choice_effects(std::vector{space->smallest()}).empty());
}

TEST(PerceptronPredictorTest, SavesAndLoads) {
  const TemporaryFolder dir;
  const TinySpace space;
  const PredictorFit fit = random_fit(space.encoding_size());
  PerceptronPredictor(space, fit).save(dir / "p.safetensors");
  EXPECT_EQ(PerceptronPredictor::load(space, dir / "p.safetensors").fit(), fit);
}

TEST(PerceptronPredictorTest, ServesAPartOfItsSpaceAndSaysWhatItNeverSaw) {
  const TemporaryFolder dir;
  const auto whole = space::make_space("ofa_mbv3_w1.0", {.resolutions = {160, 192, 224}});
  const PerceptronPredictor predictor(*whole, random_fit(whole->encoding_size()));
  predictor.save(dir / "p.safetensors");
  const auto all = space::make_space("ofa_mbv3_w1.0");
  const auto other = PerceptronPredictor::load(*all, dir / "p.safetensors");
  EXPECT_TRUE(other.covers(192));
  EXPECT_FALSE(other.covers(196));
  Rng rng(2);
  for (int i = 0; i < 20; ++i) {
    const space::Arch arch = whole->sample(rng);
    const space::Arch in_all = all->from_json(whole->to_json(arch), "");
    EXPECT_EQ(other.predict(in_all), predictor.predict(arch));
  }
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { other.predict(all->smallest()); }),
            "[accuracy::Encoding] the predictor has only seen input sizes 160, 192, 224, got 128");
  other.save(dir / "again.safetensors");
  const auto again = PerceptronPredictor::load(*whole, dir / "again.safetensors");
  EXPECT_EQ(again.predict(whole->largest()), predictor.predict(whole->largest()));
}

TEST(PerceptronPredictorTest, FilesWithoutResolutionsAreOfTheWholeSpace) {
  const TemporaryFolder dir;
  const TinySpace space;
  const PredictorFit fit = random_fit(space.encoding_size());
  PerceptronPredictor(space, fit).save(dir / "p.safetensors");
  SafetensorsFile file = load_safetensors(dir / "p.safetensors");
  file.metadata.erase("resolutions");
  save_safetensors(dir / "p.safetensors", file);
  EXPECT_EQ(PerceptronPredictor::load(space, dir / "p.safetensors").fit(), fit);
}

TEST(PerceptronPredictorTest, DamagedFilesAreReadOrRefused) {
  const TemporaryFolder dir;
  const TinySpace space;
  const auto path = dir / "p.safetensors";
  PerceptronPredictor(space, random_fit(space.encoding_size())).save(path);
  const std::string valid = read_file(path);
  Rng rng(6);
  int refused = 0;
  for (int i = 0; i < 500; ++i) {
    std::string bytes = valid;
    for (std::uint32_t changes = 1 + rng.below(3); changes > 0; --changes) {
      // Mostly the header: any number is a weight.
      const std::size_t at = rng.below(static_cast<std::uint32_t>(i % 5 == 0 ? bytes.size() : 600));
      bytes[at] = static_cast<char>(rng.bernoulli(0.5) ? rng.below(256) : '0' + rng.below(10));
    }
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      const auto predictor = PerceptronPredictor::load(space, path);
      if (predictor.covers(24)) {
        predictor.predict(space.largest());
      }
    } catch (const Error& error) {
      ++refused;
      ASSERT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(PublishedPredictorTest, GivesThePublishedAccuracies) {
  const auto data = lathe::testing::published_data();
  if (!data) {
    GTEST_SKIP() << "LATHE_PUBLISHED_DATA is not set";
  }
  const auto path = *data / "ofa_note10/accuracy_predictor.safetensors";
  const auto space = space::make_space("ofa_mbv3_w1.2");
  const auto predictor = PerceptronPredictor::load(*space, path);
  for (const int size : space->input_sizes()) {
    EXPECT_EQ(predictor.covers(size), size >= 160 && size % 16 == 0) << size;
  }
  const auto nets = lathe::testing::golden_nets(*data);
  ASSERT_EQ(nets.size(), 49U);
  for (const auto& net : nets) {
    const double accuracy = predictor.predict(space->from_json(net.arch, "golden.csv"));
    EXPECT_NEAR(100 * accuracy, net.accuracy_percent, 0.005 + 1e-4) << net.arch;
  }
  const auto other = space::make_space("ofa_mbv3_w1.0");
  EXPECT_EQ(
      text_thrown<Error>([&] { PerceptronPredictor::load(*other, path); }),
      path.string() + ": metadata \"space\" must be \"ofa_mbv3_w1.0\", got \"ofa_mbv3_w1.2\"");
}

TEST(PerceptronPredictorTest, RefusesWhatDoesNotFit) {
  const TinySpace space;
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { PerceptronPredictor(space, random_fit(7)); }),
            "[accuracy::PerceptronPredictor] the perceptron must have 22 inputs for space tiny, "
            "got 7");
  PredictorFit fit = random_fit(space.encoding_size());
  fit.scale = NAN;
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { PerceptronPredictor(space, fit); }),
            "[accuracy::PerceptronPredictor] scale must be finite, got nan");
  const PerceptronPredictor predictor(space, random_fit(space.encoding_size()));
  std::vector<double> out(3);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { predictor.predict(std::vector<space::Arch>{space.smallest()}, out); }),
            "[accuracy::PerceptronPredictor::predict] out must have 1 values, got 3");
}

// What load() says after `change` to a good file, with the file's name cut off.
template <typename Change>
std::string load_error(Change change) {
  const TemporaryFolder dir;
  const TinySpace space;
  const auto path = dir / "p.safetensors";
  PerceptronPredictor(space, random_fit(space.encoding_size())).save(path);
  SafetensorsFile file = load_safetensors(path);
  change(file);
  save_safetensors(path, file);
  const std::string text = text_thrown<Error>([&] { PerceptronPredictor::load(space, path); });
  const std::string begin = path.string() + ": ";
  EXPECT_EQ(text.find(begin), 0U) << text;
  return text.find(begin) == 0 ? text.substr(begin.size()) : text;
}

TEST(PerceptronPredictorTest, LoadRefusesWhatIsNoPredictorOfTheSpace) {
  using File = SafetensorsFile;
  EXPECT_EQ(load_error([](File& f) { f.metadata["space"] = "darts"; }),
            "metadata \"space\" must be \"tiny\", got \"darts\"");
  EXPECT_EQ(load_error([](File& f) { f.metadata.erase("format"); }),
            "metadata \"format\" is missing");
  EXPECT_EQ(load_error([](File& f) { f.metadata["format"] = "lathe-accuracy-predictor 9"; }),
            "metadata \"format\" must be \"lathe-accuracy-predictor 1\", got "
            "\"lathe-accuracy-predictor 9\"");
  EXPECT_EQ(load_error([](File& f) { f.metadata["encoding"] = "ofa"; }),
            "unknown encoding \"ofa\": did you mean \"ofa_mbv3_onehot_128\"?");
  EXPECT_EQ(
      load_error([](File& f) { f.metadata["encoding"] = Encoding::kOfaMbv3; }),
      "encoding ofa_mbv3_onehot_128 is of spaces like ofa_mbv3_w1.2, with 20 kernels of 3, 5, "
      "7 and 20 expansions of 3, 4, 6; got tiny");
  for (const std::string sizes :
       {"24,16", "16,,24", "16,", ",16", "16 24", "x", "0", "-3", "99999999999"}) {
    EXPECT_EQ(load_error([&](File& f) { f.metadata["resolutions"] = sizes; }),
              "metadata \"resolutions\" must be sizes in ascending order such as 160,176, got \"" +
                  sizes + "\"");
  }
  EXPECT_EQ(load_error([](File& f) { f.metadata["activation"] = "tanh"; }),
            "activation must be relu or sigmoid, got \"tanh\"");
  EXPECT_EQ(load_error([](File& f) { f.metadata["mean"] = "nan"; }),
            "metadata \"mean\" must be a number, got \"nan\"");
  EXPECT_EQ(load_error([](File& f) { f.metadata["rmse"] = "1x"; }),
            "metadata \"rmse\" must be a number, got \"1x\"");
  EXPECT_EQ(load_error([](File& f) { f.tensors.erase("0.bias"); }), "missing tensor \"0.bias\"");
  EXPECT_EQ(load_error([](File& f) { f.tensors = random_fit(7).perceptron.to_tensors(); }),
            "the predictor has 7 inputs, encoding one-hot of space tiny needs 22");
}

}  // namespace
}  // namespace lathe::accuracy
