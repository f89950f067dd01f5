#include "lathe/data/image_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"

namespace lathe::data {
namespace {

using lathe::testing::text_thrown;
using Indices = std::vector<std::int64_t>;

ImageArray five_pixels() {
  return {.channels = 1,
          .height = 1,
          .width = 1,
          .num_classes = 3,
          .pixels = {10, 20, 30, 40, 50},
          .labels = {0, 1, 2, 1, 0},
          .class_names = {}};
}

int pixel(const ImageSet& set, std::int64_t index) {
  std::vector<std::uint8_t> out(1);
  Rng rng(0);
  set.source().read(set.source_index(index), 1, nullptr, rng, out);
  return out[0];
}

TEST(ImageSet, ViewsShareTheSource) {
  const ImageSet all = five_pixels();
  EXPECT_EQ(all.size(), 5);
  EXPECT_EQ(all.image_size(), 1);
  EXPECT_EQ(all.num_classes(), 3);
  EXPECT_EQ(all.source().class_names()[2], "2");
  const ImageSet some = all.view(Indices{4, 1, 3});
  const ImageSet fewer = some.view(Indices{2, 0});  // positions within the view
  EXPECT_EQ(&fewer.source(), &all.source());
  EXPECT_EQ(pixel(some, 0), 50);
  EXPECT_EQ(pixel(some, 1), 20);
  EXPECT_EQ(labels(some), (std::vector<int>{0, 1, 1}));
  ASSERT_EQ(fewer.size(), 2);
  EXPECT_EQ(pixel(fewer, 0), 40);
  EXPECT_EQ(pixel(fewer, 1), 50);
  EXPECT_EQ(ImageSet().size(), 0);
  EXPECT_EQ(all.resized(7).image_size(), 7);
  EXPECT_EQ(all.image_size(), 1);
}

TEST(ImageSet, RejectsBadArguments) {
  const ImageSet all = five_pixels();
  const ImageSet some = all.view(Indices{4, 1, 3});
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { some.view(Indices{3}); }),
            "[data::ImageSet::view] indices must be in [0, 3), got 3");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { some.resized(0); }),
            "[data::ImageSet::resized] image_size must be > 0, got 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { ImageSet(nullptr, 3); }),
            "[data::ImageSet] source must not be null");
}

TEST(MemorySource, RejectsWhatDoesNotGoTogether) {
  const auto error = [](const auto& change) {
    ImageArray images = five_pixels();
    change(images);
    return text_thrown<std::invalid_argument>([&] { const MemorySource source(images); });
  };
  EXPECT_EQ(error([](ImageArray& a) { a.width = 2; }),
            "[data::MemorySource] images must be square, got 1x2x1");
  EXPECT_EQ(error([](ImageArray& a) { a.pixels.pop_back(); }),
            "[data::MemorySource] pixels must be 5 bytes for 5 labels, got 4");
  EXPECT_EQ(error([](ImageArray& a) { a.labels[2] = 3; }),
            "[data::MemorySource] labels must be in [0, 3), got 3");
  EXPECT_EQ(error([](ImageArray& a) { a.class_names = {"one"}; }),
            "[data::MemorySource] class_names must be 3, got 1");
}

TEST(StratifiedSample, GivesTheLargestRemaindersOneMore) {
  // Classes of 5, 3 and 2 of 10; a sample of 5 has shares 2.5, 1.5 and 1.
  const std::vector<int> labels{0, 0, 0, 0, 0, 1, 1, 1, 2, 2};
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<std::int64_t> sample = stratified_sample(labels, 3, 5, seed);
    ASSERT_EQ(sample.size(), 5u);
    EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end()));
    EXPECT_EQ(std::set<std::int64_t>(sample.begin(), sample.end()).size(), 5u);
    std::vector<int> counts(3);
    for (const std::int64_t i : sample)
      ++counts[static_cast<std::size_t>(labels[static_cast<std::size_t>(i)])];
    EXPECT_EQ(counts, (std::vector<int>{3, 1, 1}));
  }
  EXPECT_EQ(stratified_sample(labels, 3, 10, 1).size(), 10u);
  EXPECT_TRUE(stratified_sample(labels, 3, 0, 1).empty());
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { stratified_sample(labels, 3, 11, 1); }),
            "[data::stratified_sample] count must be in [0, 10], got 11");
}

TEST(StratifiedSample, DrawsEveryMemberAlike) {
  const std::vector<int> labels{0, 0, 0, 0, 1, 1, 1, 1};
  std::vector<int> drawn(8);
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    for (const std::int64_t i : stratified_sample(labels, 2, 2, seed))
      ++drawn[static_cast<std::size_t>(i)];
  }
  for (const int count : drawn) EXPECT_NEAR(count, 1000, 110);
}

TEST(ChannelStatistics, KeepsChannelsApart) {
  const ImageSet set(ImageArray{.channels = 2,
                                .height = 1,
                                .width = 1,
                                .num_classes = 1,
                                .pixels = {0, 51, 255, 51},  // channel 1 is constant
                                .labels = {0, 0}});
  const Normalization normalization = channel_statistics(set);
  EXPECT_FLOAT_EQ(normalization.mean[0], 0.5F);
  EXPECT_FLOAT_EQ(normalization.stddev[0], 0.5F);
  EXPECT_FLOAT_EQ(normalization.mean[1], 0.2F);
  EXPECT_FLOAT_EQ(normalization.stddev[1], 1.0F);
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { channel_statistics({}); }),
            "[data::channel_statistics] set must not be empty");
}

}  // namespace
}  // namespace lathe::data
