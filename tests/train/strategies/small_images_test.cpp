#include "lathe/train/strategies/small_images.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/space_file.h"
#include "lathe/train/strategies/deps.h"
#include "lathe/train/strategies/grow.h"
#include "nn/small_space.h"

namespace lathe::train {
namespace {

using lathe::testing::small_space;
using lathe::testing::text_thrown;

TEST(SmallImages, GrowToTheNetsOwn) {
  const SmallImages images = SmallImages::over(0.75);
  EXPECT_EQ(images.scale(0), 0.5);
  EXPECT_EQ(images.scale(0.49), 0.5);
  EXPECT_EQ(images.scale(0.51), 0.75);
  EXPECT_EQ(images.scale(0.74), 0.75);
  EXPECT_EQ(images.scale(0.75), 1);
  EXPECT_EQ(SmallImages{}.scale(0), 1);
}

TEST(SmallImages, StepsTakeAConstantAndWhatGrowsWithThePixels) {
  const auto step_s = [](double scale) { return 0.1 + 0.8 * scale * scale; };
  const StepSeconds tried{.full = step_s(1), .half = step_s(0.5)};
  for (const double scale : {0.5, 0.75, 1.0}) {
    EXPECT_DOUBLE_EQ(tried.at(scale), step_s(scale));
  }
  const SmallImages images{.half_until = 0.3, .three_quarters_until = 0.4};
  double sum = 0;
  constexpr int kSteps = 1000;
  for (int i = 0; i < kSteps; ++i) {
    sum += step_s(images.scale((i + 0.5) / kSteps));
  }
  EXPECT_NEAR(images.mean_s(tried), sum / kSteps, 1e-9);
  EXPECT_EQ(SmallImages{}.mean_s(tried), tried.full);
}

TEST(SmallImages, ChangeNothingElseOfAPlan) {
  const auto space = small_space({.in_channels = 3, .num_classes = 4, .input_size = 32});
  const DepsOptions deps{.schedule = {.peak = 0.5, .total_steps = 20}, .seed = 3};
  const auto whole = make_deps(*space, deps);
  const auto smaller = with_small_images(make_deps(*space, deps), *space, SmallImages::over(0.75));
  EXPECT_EQ(smaller->total_steps(), 20);
  for (std::int64_t step = 0; step < 20; ++step) {
    const StepPlan expected = whole->plan(step), got = smaller->plan(step);
    EXPECT_EQ(got.learning_rate, expected.learning_rate);
    EXPECT_EQ(got.sort_channels.has_value(), expected.sort_channels.has_value());
    ASSERT_EQ(got.passes.size(), expected.passes.size());
    for (std::size_t i = 0; i < got.passes.size(); ++i) {
      EXPECT_EQ(got.passes[i].arch, expected.passes[i].arch);
      EXPECT_EQ(got.passes[i].image_size, step < 10 ? 16 : step < 15 ? 24 : 0);
    }
    for (const auto& net : smaller->reported(step + 1)) {
      EXPECT_EQ(net.image_size, step < 10 ? 16 : step < 15 ? 24 : 0) << "after step " << step;
    }
    EXPECT_EQ(smaller->reported(step + 1).size(), 2U);
  }
  nlohmann::json json = smaller->to_json();
  EXPECT_EQ(json.at("small_images"), nlohmann::json({0.5, 0.75}));
  json.erase("small_images");
  EXPECT_EQ(json, whole->to_json());
}

TEST(SmallImages, GoByThePlanWhereItIsDoneInFewerSteps) {
  const auto space = small_space({.in_channels = 3, .num_classes = 4, .input_size = 32});
  const auto make = [&] {
    return with_small_images(make_grow(*space, {.schedule = {.total_steps = 40}}), *space,
                             SmallImages::over(0.75));
  };
  const auto strategy = make();
  ASSERT_TRUE(strategy->shorten(20, 10));  // instead of 20
  EXPECT_EQ(strategy->total_steps(), 30);
  const auto resumed = make();
  resumed->restore(strategy->state());
  for (const auto* of : {strategy.get(), resumed.get()}) {
    EXPECT_EQ(of->plan(19).passes[0].image_size, 16);
    EXPECT_EQ(of->plan(24).passes[0].image_size, 24) << "planned as step 28";
    EXPECT_EQ(of->plan(25).passes[0].image_size, 0) << "planned as step 30";
  }
}

TEST(SmallImages, AreRefusedWhereNetsCanNotSeeThem) {
  // Cells halve maps twice, which must stay even.
  const auto space =
      space::open_space("darts", {.in_channels = 3, .num_classes = 4, .input_size = 4});
  EXPECT_EQ(text_thrown<Error>([&] {
              with_small_images(make_grow(*space, {.schedule = {.total_steps = 4}}), *space,
                                SmallImages::over(0.5));
            }),
            "--small-images: the nets of darts can't see images of half of 4 pixels; expected a "
            "larger --image-size, or --small-images 0");
}

}  // namespace
}  // namespace lathe::train
