#include "lathe/train/step/batch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

namespace lathe::train {
namespace {

TEST(MakeBatch, GivesChannelsFirstInChannelsLastMemory) {
  const data::ImageSet set(data::ImageArray{.channels = 2,
                                            .height = 2,
                                            .width = 2,
                                            .num_classes = 3,
                                            .pixels = {0, 255, 51, 102, 1, 2, 3, 4,  //
                                                       255, 0, 153, 204, 5, 6, 7, 8},
                                            .labels = {2, 1}});
  const data::Normalization normalization{.mean = {0.0F, 1.0F}, .stddev = {1.0F, 0.5F}};
  const std::vector<std::int64_t> indices{1, 0};
  const Batch batch = make_batch(set, indices, std::nullopt, normalization);
  ASSERT_EQ(batch.images.sizes(), at::IntArrayRef({2, 2, 2, 2}));
  EXPECT_TRUE(batch.images.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(batch.labels[0].item<int>(), 1);
  EXPECT_EQ(batch.labels[1].item<int>(), 2);
  // The first row of image 1: channel 0 is 255, 153 and channel 1 is 0, 204.
  EXPECT_FLOAT_EQ(batch.images[0][0][0][0].item<float>(), 1.0F);
  EXPECT_FLOAT_EQ(batch.images[0][0][0][1].item<float>(), 0.6F);
  EXPECT_FLOAT_EQ(batch.images[0][1][0][0].item<float>(), -2.0F);
  EXPECT_FLOAT_EQ(batch.images[0][1][0][1].item<float>(), -0.4F);
  EXPECT_FLOAT_EQ(batch.images[1][0][0][1].item<float>(), 0.2F);
}

TEST(MakeBatch, GivesSoftTargetsWhenImagesAreMixed) {
  const data::ImageSet set(data::ImageArray{.channels = 1,
                                            .height = 1,
                                            .width = 1,
                                            .num_classes = 3,
                                            .pixels = {0, 255},
                                            .labels = {2, 1}});
  const std::vector<std::int64_t> indices{0, 1};
  data::Augmentation augmentation{.options = {.crop_padding = 0, .horizontal_flip = false}};
  const Batch plain = make_batch(set, indices, augmentation, {{0}, {1}});
  EXPECT_FALSE(plain.targets.defined());
  EXPECT_TRUE(plain.target().equal(plain.labels));
  augmentation.options.mixup = 1;
  const Batch mixed = make_batch(set, indices, augmentation, {{0}, {1}});
  ASSERT_EQ(mixed.target().sizes(), at::IntArrayRef({2, 3}));
  EXPECT_TRUE(mixed.targets.sum(1).allclose(at::ones({2})));
  // What an image has of white it has of the white image's label.
  for (int i = 0; i < 2; ++i) {
    EXPECT_FLOAT_EQ(mixed.images[i][0][0][0].item<float>(), mixed.targets[i][1].item<float>());
    EXPECT_EQ(mixed.targets[i][0].item<float>(), 0);
  }
}

TEST(OnDevice, TakesTensorsThatAreThereAsTheyAre) {
  const Batch batch{at::ones({2, 1, 3, 3}), at::zeros({2}, at::kLong), {}};
  const Batch there = on_device(batch, c10::kCPU);
  EXPECT_TRUE(there.images.is_same(batch.images));
  EXPECT_TRUE(there.labels.is_same(batch.labels));
  EXPECT_FALSE(there.targets.defined());
}

TEST(OnDevice, LaysImagesOutAsAsked) {
  EXPECT_EQ(fastest_layout(c10::kCPU, nn::Precision::kFloat32), at::MemoryFormat::ChannelsLast);
  EXPECT_EQ(fastest_layout(c10::kCUDA, nn::Precision::kFloat32), at::MemoryFormat::Contiguous);
  EXPECT_EQ(fastest_layout(c10::kCUDA, nn::Precision::kTf32), at::MemoryFormat::Contiguous);
  EXPECT_EQ(fastest_layout(c10::kCUDA, nn::Precision::kBfloat16), at::MemoryFormat::ChannelsLast);
  for (const int channels : {1, 3}) {
    const Batch batch{at::arange(channels * 24, at::kFloat).view({2, channels, 3, 4}), {}, {}};
    for (const auto layout : {at::MemoryFormat::ChannelsLast, at::MemoryFormat::Contiguous}) {
      const Batch placed = on_device(batch, c10::kCPU, layout);
      EXPECT_EQ(placed.images.suggest_memory_format(), layout) << channels;
      EXPECT_TRUE(placed.images.equal(batch.images));
      EXPECT_TRUE(on_device(placed, c10::kCPU, layout).images.is_same(placed.images));
    }
  }
}

}  // namespace
}  // namespace lathe::train
