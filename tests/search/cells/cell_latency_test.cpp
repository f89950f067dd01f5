#include "lathe/search/cells/cell_latency.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/models/linear_model.h"
#include "lathe/space/builtin_spaces.h"
#include "search/cells/small_perceptron.h"
#include "search/synthetic_models.h"

namespace lathe::search {
namespace {

using lathe::testing::small_perceptron;
using lathe::testing::text_thrown;

/// Predictions of encodings are the model's of archs.
void expect_agrees(const space::Space& space, const latency::LatencyModel& model) {
  const CellLatency latency(space, model);
  Rng rng(4);
  for (int i = 0; i < 50; ++i) {
    const space::Arch arch = space.sample(rng);
    EXPECT_NEAR(latency.predict(space.encode(arch))[0], model.predict_ms(arch), 1e-4);
  }
}

TEST(CellLatency, PredictsWhatTheModelDoes) {
  const auto space = space::make_space("darts_c4_l3", {.input_size = 8});
  expect_agrees(*space, lathe::testing::AdditiveLatency(*space, 1));
  expect_agrees(*space,
                latency::PerceptronModel(*space, small_perceptron(*space, 2), nullptr));
  latency::LinearCosts costs{.bias_ms = 3};
  for (int i = 0; i < space->encoding_size(); ++i) costs.weights_ms.push_back(0.1 * i);
  expect_agrees(*space, latency::LinearModel(*space, costs));
  expect_agrees(*space, latency::PerceptronModel(
                            *space, small_perceptron(*space, 3),
                            std::make_unique<latency::LinearModel>(*space, costs)));
}

TEST(CellLatency, CountsMacs) {
  const auto space = space::make_space("darts_c4_l3", {.input_size = 8});
  const CellLatency macs = CellLatency::of_macs(*space);
  Rng rng(5);
  for (int i = 0; i < 20; ++i) {
    const space::Arch arch = space->sample(rng);
    EXPECT_NEAR(macs.predict(space->encode(arch))[0],
                static_cast<double>(graph::macs(space->graph(arch))) / 1e6, 1e-9);
  }
}

TEST(CellLatency, HasThePerceptronsDerivative) {
  const auto space = space::make_space("darts_c4_l1", {.input_size = 8});
  const latency::PerceptronModel model(*space, small_perceptron(*space, 6), nullptr);
  const CellLatency latency(*space, model);
  Rng rng(7);
  std::vector<float> row = space->encode(space->sample(rng));
  const std::vector<double> gradient = latency.gradients(row);
  for (std::size_t i = 0; i < row.size(); i += 5) {
    constexpr float kStep = 1e-2F;
    const float at = row[i];
    row[i] = at + kStep;
    const double above = latency.predict(row)[0];
    row[i] = at - kStep;
    const double below = latency.predict(row)[0];
    row[i] = at;
    EXPECT_NEAR(gradient[i], (above - below) / (2 * kStep), 1e-3);
  }
}

TEST(CellLatency, RefusesOtherSpacesAndModels) {
  const auto cells = space::make_space("darts_c4_l3", {.input_size = 8});
  const auto other = space::make_space("darts_c4_l1", {.input_size = 8});
  const lathe::testing::AdditiveLatency of_other(*other, 1);
  EXPECT_EQ(text_thrown<Error>([&] { CellLatency(*cells, of_other); }),
            "the latency model is of space darts_c4_l1, expected darts_c4_l3; fit one for it with "
            "lathe latency generate and fit");
  const lathe::testing::SyntheticLatency opaque(*cells, 1);
  EXPECT_EQ(text_thrown<Error>([&] { CellLatency(*cells, opaque); }),
            "the latency model of darts_c4_l3 is neither a sum nor a perceptron; fit another with "
            "lathe latency fit");
  const auto mobile = space::make_space("mbv3_28", {});
  const lathe::testing::AdditiveLatency of_mobile(*mobile, 1);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { CellLatency(*mobile, of_mobile); }),
            "[search::CellLatency] space must be one of cells, got mbv3_28");
  EXPECT_THROW(CellLatency::of_macs(*mobile), std::invalid_argument);
}

}  // namespace
}  // namespace lathe::search
