#include "lathe/data/augment/mixing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/data/batches.h"

namespace lathe::data {
namespace {

using lathe::testing::text_thrown;
using Floats = std::vector<float>;

TEST(DrawSymmetricBeta, HasItsMeanAndVariance) {
  for (const double alpha : {0.2, 1.0, 4.0}) {
    Rng rng(1);
    double sum = 0, squares = 0;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i) {
      const double draw = draw_symmetric_beta(alpha, rng);
      ASSERT_GE(draw, 0);
      ASSERT_LE(draw, 1);
      sum += draw;
      squares += (draw - 0.5) * (draw - 0.5);
    }
    EXPECT_NEAR(sum / kDraws, 0.5, 0.01);
    EXPECT_NEAR(squares / kDraws, 1 / (4 * (2 * alpha + 1)), 0.005) << alpha;
  }
  Rng rng(1);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { draw_symmetric_beta(0, rng); }),
            "[data::draw_symmetric_beta] alpha must be > 0, got 0.000000");
}

TEST(MixImages, MixesEveryPixelWithTheNextImage) {
  Floats images{0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8};  // three of 2x2
  mix_images({.own_share = 0.75}, 3, 2, 1, images.data());
  EXPECT_EQ(images, (Floats{1, 1, 1, 1, 5, 5, 5, 5, 6, 6, 6, 6}));
}

TEST(MixImages, PutsBoxesOfTheNextImage) {
  Floats images{1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8, -8};  // two of 2x2x2
  const Mix mix{.own_share = 0.5, .boxes = true, .box = {.bottom = 2, .left = 1, .right = 2}};
  mix_images(mix, 2, 2, 2, images.data());
  EXPECT_EQ(images, (Floats{1, -1, 6, -6, 3, -3, 8, -8, 5, -5, 2, -2, 7, -7, 4, -4}));
}

TEST(MixLabels, SharesThem) {
  const std::vector<std::int64_t> labels{2, 0, 0};
  EXPECT_EQ(mix_labels({.own_share = 0.75}, labels, 3),
            (Floats{0.25F, 0, 0.75F, 1, 0, 0, 0.75F, 0, 0.25F}));
}

TEST(DrawMix, BoxesHaveTheShareThatIsDrawn) {
  Rng rng(2);
  double share = 0;
  for (int i = 0; i < 4000; ++i) {
    const Mix mix = draw_mix({.cutmix = 1}, 32, rng);
    EXPECT_TRUE(mix.boxes);
    EXPECT_GE(mix.box.top, 0);
    EXPECT_LE(mix.box.right, 32);
    const int area = (mix.box.bottom - mix.box.top) * (mix.box.right - mix.box.left);
    EXPECT_NEAR(mix.own_share, 1 - area / 1024.0, 1e-12);
    share += mix.own_share;
  }
  // Uniform without cutting off at the border; with it, the boxes are smaller.
  EXPECT_GT(share / 4000, 0.5);
  EXPECT_LT(share / 4000, 0.75);
}

TEST(DrawMix, TakesOneOrTheOther) {
  Rng rng(3);
  int boxes = 0;
  for (int i = 0; i < 1000; ++i) boxes += draw_mix({.mixup = 0.2, .cutmix = 1}, 8, rng).boxes;
  EXPECT_NEAR(boxes, 500, 60);
  EXPECT_FALSE(draw_mix({.mixup = 0.2}, 8, rng).boxes);
  EXPECT_EQ(draw_mix({}, 8, rng).own_share, 1);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { draw_mix({.mixup = -1}, 8, rng); }),
            "[data::draw_mix] mixup must be >= 0, got -1.000000");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { draw_mix({.cutmix = 1}, 0, rng); }),
            "[data::draw_mix] size must be > 0, got 0");
}

TEST(LoadBatch, MixesByBatchAndEpoch) {
  const ImageSet set(ImageArray{.channels = 1,
                                .height = 1,
                                .width = 1,
                                .num_classes = 2,
                                .pixels = {0, 255},
                                .labels = {0, 1}});
  Augmentation augmentation{.options = {.crop_padding = 0, .horizontal_flip = false, .mixup = 1},
                            .seed = 1};
  const std::vector<std::int64_t> indices{0, 1};
  const auto load = [&] { return load_batch(set, indices, augmentation, {{0}, {1}}); };
  const ImageBatch batch = load();
  ASSERT_EQ(batch.targets.size(), 4u);
  const float share = batch.targets[0];
  EXPECT_GT(share, 0);
  EXPECT_LT(share, 1);
  EXPECT_FLOAT_EQ(batch.targets[1], 1 - share);
  EXPECT_FLOAT_EQ(batch.pixels[0], 1 - share);  // of black, and of white the rest
  EXPECT_FLOAT_EQ(batch.pixels[1], share);
  EXPECT_EQ(load().targets, batch.targets);
  augmentation.batch = 1;
  EXPECT_NE(load().targets, batch.targets);
  augmentation.batch = 0;
  augmentation.epoch = 1;
  EXPECT_NE(load().targets, batch.targets);
  augmentation.options.mixup = 0;
  EXPECT_TRUE(load().targets.empty());
}

}  // namespace
}  // namespace lathe::data
