#include "lathe/accuracy/validation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/graph/counts.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::accuracy {
namespace {

using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

/// Different nets, with the accuracy that `accuracy_of` gives each.
template <typename AccuracyOf>
std::vector<AccuracySample> samples_of(const space::Space& space, std::size_t count,
                                       AccuracyOf accuracy_of) {
  std::vector<AccuracySample> samples;
  for (const space::Arch& arch : lathe::testing::distinct_archs(space, count, 1)) {
    samples.push_back({arch, accuracy_of(arch)});
  }
  return samples;
}

double log_macs(const space::Space& space, const space::Arch& arch) {
  return std::log(static_cast<double>(graph::macs(space.graph(arch))));
}

TEST(PredictorErrorTest, ByHand) {
  const PredictorError error = predictor_error(std::vector<double>{0.5, 0.7, 0.8, 0.6},
                                               std::vector<double>{0.4, 0.5, 0.6, 0.7});
  EXPECT_EQ(error.samples, 4);
  EXPECT_NEAR(error.rmse, std::sqrt((0.01 + 0.04 + 0.04 + 0.01) / 4), 1e-12);
  EXPECT_NEAR(error.bias, 0.4 / 4, 1e-12);
  // Of the six pairs, (2, 4) and (3, 4) are the wrong way round.
  EXPECT_NEAR(error.kendall, 2.0 / 6, 1e-12);
  EXPECT_NEAR(error.spearman, 1 - 6.0 * (0 + 1 + 1 + 4) / (4 * 15), 1e-12);
  EXPECT_EQ(to_json(error).at("rmse_points").get<double>(), 100 * error.rmse);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [] { predictor_error(std::vector<double>{}, std::vector<double>{}); }),
            "[accuracy::predictor_error] needs as many predicted as measured values, at least one; "
            "got 0 and 0");
}

TEST(PredictorErrorTest, OfAPredictor) {
  class Constant : public AccuracyPredictor {
   public:
    using AccuracyPredictor::predict;
    void predict(std::span<const space::Arch> archs, std::span<double> out) const override {
      for (std::size_t i = 0; i < archs.size(); ++i) out[i] = 0.5;
    }
    const std::string& space_name() const override { return name_; }

   private:
    std::string name_ = "tiny";
  };
  const TinySpace space;
  const std::vector<AccuracySample> samples{{space.smallest(), 0.4}, {space.largest(), 0.8}};
  const PredictorError error = predictor_error(Constant(), samples);
  EXPECT_NEAR(error.bias, -0.1, 1e-12);
  EXPECT_NEAR(error.rmse, std::sqrt(0.05), 1e-12);
  EXPECT_EQ(error.kendall, 0.0);
}

TEST(PredictorBaselinesTest, AnAccuracyThatIsALineThroughTheLogarithmOfTheMacs) {
  const TinySpace space;
  const auto samples = samples_of(
      space, 50, [&](const space::Arch& arch) { return 0.05 * log_macs(space, arch) - 0.2; });
  const auto baselines = cross_validated_baselines(space, samples);
  ASSERT_TRUE(baselines.has_value());
  EXPECT_LT(baselines->macs.rmse, 1e-12);
  EXPECT_NEAR(baselines->macs.kendall, 1.0, 1e-9);
  EXPECT_NEAR(baselines->macs.spearman, 1.0, 1e-9);
  EXPECT_GT(baselines->constant.rmse, 0.01);
  EXPECT_EQ(baselines->constant.kendall, 0.0);
  EXPECT_EQ(baselines->constant.samples, 50);
}

TEST(PredictorBaselinesTest, TheConstantIsTheMeanOfTheOthers) {
  const TinySpace space;
  int i = 0;
  auto samples = samples_of(space, 10, [&](const space::Arch&) { return 0.1 * i++; });
  // As many parts as nets: each is left out alone, both samples of the first together.
  samples.push_back(samples.front());
  double squares = 0.0;
  for (int out = 0; out < 10; ++out) {
    const double others = out == 0 ? 4.5 / 9 : (4.5 - 0.1 * out) / 10;
    squares += (out == 0 ? 2 : 1) * std::pow(others - 0.1 * out, 2);
  }
  EXPECT_NEAR(cross_validated_baselines(space, samples)->constant.rmse, std::sqrt(squares / 11),
              1e-12);
}

TEST(PredictorBaselinesTest, TooFewNetsHaveNone) {
  const TinySpace space;
  auto samples = samples_of(space, 9, [](const space::Arch&) { return 0.5; });
  samples.insert(samples.end(), 5, samples.front());
  EXPECT_FALSE(cross_validated_baselines(space, samples).has_value());
}

}  // namespace
}  // namespace lathe::accuracy
