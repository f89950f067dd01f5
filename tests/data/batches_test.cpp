#include "lathe/data/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/hash.h"

namespace lathe::data {
namespace {

using lathe::testing::text_thrown;
using Indices = std::vector<std::int64_t>;

ImageArray patterned_images(int count, int size, int channels) {
  ImageArray set{.channels = channels,
                 .height = size,
                 .width = size,
                 .num_classes = 10,
                 .pixels = {},
                 .labels = {}};
  set.pixels.resize(static_cast<std::size_t>(count) * set.image_size_bytes());
  for (std::size_t i = 0; i < set.pixels.size(); ++i) {
    set.pixels[i] = static_cast<std::uint8_t>(1 + (i * 37 + i / 11) % 255);  // never black
  }
  for (int i = 0; i < count; ++i) set.labels.push_back(i * 7 % 10);
  return set;
}

Normalization plain(int channels) {
  return {.mean = std::vector<float>(static_cast<std::size_t>(channels), 0.0F),
          .stddev = std::vector<float>(static_cast<std::size_t>(channels), 1.0F)};
}

struct Filled {
  std::vector<float> pixels;
  std::vector<std::int64_t> labels;
  bool operator==(const Filled&) const = default;
};

Filled fill(const ImageSet& set, const Indices& indices,
            const std::optional<Augmentation>& augmentation, const Normalization& normalization) {
  Filled filled{.pixels = std::vector<float>(indices.size() * set.image_size_bytes(), -99.0F),
                .labels = std::vector<std::int64_t>(indices.size(), -99)};
  fill_batch(set, indices, augmentation, normalization, filled.pixels.data(), filled.labels.data());
  return filled;
}

Indices all_of(const Batches& batches) {
  Indices all;
  for (std::int64_t b = 0; b < batches.count(); ++b) {
    all.insert(all.end(), batches[b].begin(), batches[b].end());
  }
  return all;
}

TEST(Batches, TrainingShufflesAndDropsTheRest) {
  const Batches batches = Batches::training(10, 3, 1, 0);
  EXPECT_EQ(batches.count(), 3);
  EXPECT_EQ(batches.image_count(), 9);
  for (std::int64_t b = 0; b < 3; ++b) EXPECT_EQ(batches[b].size(), 3u);
  const Indices all = all_of(batches);
  EXPECT_EQ(std::set<std::int64_t>(all.begin(), all.end()).size(), 9u);
  EXPECT_FALSE(std::is_sorted(all.begin(), all.end()));
}

TEST(Batches, TrainingFollowsFromSeedAndEpoch) {
  const Indices first = all_of(Batches::training(100, 10, 1, 0));
  EXPECT_EQ(all_of(Batches::training(100, 10, 1, 0)), first);
  EXPECT_EQ(all_of(Batches::training(100, 25, 1, 0)), first);  // in other portions
  EXPECT_NE(all_of(Batches::training(100, 10, 1, 1)), first);
  EXPECT_NE(all_of(Batches::training(100, 10, 2, 0)), first);
}

TEST(Batches, EvaluationKeepsOrderAndTheRest) {
  const Batches batches = Batches::evaluation(10, 4);
  EXPECT_EQ(batches.count(), 3);
  EXPECT_EQ(batches[2].size(), 2u);
  EXPECT_EQ(all_of(batches), (Indices{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(Batches::evaluation(8, 4).count(), 2);
  EXPECT_EQ(Batches::evaluation(0, 4).count(), 0);
  const Batches given = Batches::over({5, 5, 1}, 2);
  EXPECT_EQ(given.count(), 2);
  EXPECT_EQ(all_of(given), (Indices{5, 5, 1}));
}

TEST(Batches, RejectsBadArguments) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { Batches::training(5, 6, 1, 0); }),
            "[data::Batches::training] batch_size must be in [1, 5], got 6");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { Batches::evaluation(5, 0); }),
            "[data::Batches::evaluation] batch_size must be > 0, got 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { Batches::evaluation(-1, 1); }),
            "[data::Batches::evaluation] size must be in [0, 2^32), got -1");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { Batches::over({1}, -1); }),
            "[data::Batches::over] batch_size must be > 0, got -1");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { Batches::evaluation(5, 2)[3]; }),
            "[data::Batches::operator[]] batch must be in [0, 3), got 3");
}

TEST(FixedSubset, IsAPrefixOfOnePermutation) {
  const Indices small = fixed_subset(1000, 50, 3), large = fixed_subset(1000, 200, 3);
  EXPECT_EQ(Indices(large.begin(), large.begin() + 50), small);
  EXPECT_EQ(std::set<std::int64_t>(large.begin(), large.end()).size(), 200u);
  EXPECT_NE(fixed_subset(1000, 50, 4), small);
  EXPECT_EQ(fixed_subset(10, 50, 3).size(), 10u);
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { fixed_subset(10, -1, 3); }),
            "[data::fixed_subset] count must be >= 0, got -1");
}

TEST(FillBatch, NormalizesEachChannel) {
  const ImageSet set(ImageArray{.channels = 2,
                                .height = 1,
                                .width = 1,
                                .num_classes = 10,
                                .pixels = {9, 9, 0, 51, 255, 102},
                                .labels = {1, 4, 7}});
  const Filled filled = fill(set, {1, 2}, std::nullopt, {{0.5F, 0.2F}, {0.5F, 0.1F}});
  EXPECT_EQ(filled.labels, (std::vector<std::int64_t>{4, 7}));
  ASSERT_EQ(filled.pixels.size(), 4u);
  EXPECT_FLOAT_EQ(filled.pixels[0], -1);
  EXPECT_NEAR(filled.pixels[1], 0, 1e-6);
  EXPECT_FLOAT_EQ(filled.pixels[2], 1);
  EXPECT_NEAR(filled.pixels[3], 2, 1e-6);
}

/// The augmented image pixel by pixel, by its definition; black outside, 0 in the hole.
std::vector<float> by_definition(const ImageArray& set, const Placement& draw,
                                 const Hole& hole = {}) {
  std::vector<float> out;
  for (int y = 0; y < set.height; ++y) {
    for (int x = 0; x < set.width; ++x) {
      const int shifted_x = draw.flip ? set.width - 1 - x : x;
      const int source_y = y + draw.shift_y, source_x = shifted_x + draw.shift_x;
      const bool inside =
          source_y >= 0 && source_y < set.height && source_x >= 0 && source_x < set.width;
      const bool cut = y >= hole.top && y < hole.bottom && x >= hole.left && x < hole.right;
      for (int c = 0; c < set.channels; ++c) {
        const auto at =
            static_cast<std::size_t>((source_y * set.width + source_x) * set.channels + c);
        const float pixel = inside ? static_cast<float>(set.pixels[at]) / 255.0F : 0.0F;
        out.push_back(cut ? 0.0F : (pixel - 0.25F) / 0.5F);
      }
    }
  }
  return out;
}

/// Checks one draw against the definition; draws come from small fixed images, so all kinds occur.
void expect_as_defined(const ImageArray& set, const AugmentOptions& options) {
  const std::vector<float> quarter(static_cast<std::size_t>(set.channels), 0.25F);
  const std::vector<float> half(static_cast<std::size_t>(set.channels), 0.5F);
  for (std::int64_t epoch = 0; epoch < 200; ++epoch) {
    const Augmentation augmentation{.options = options, .seed = 5, .epoch = epoch};
    const Filled filled = fill(set, {0}, augmentation, {quarter, half});
    // Some draw must explain the image: all are tried, without knowing the generator's stream.
    bool explained = false;
    const int p = options.crop_padding;
    for (int dy = -p; dy <= p && !explained; ++dy) {
      for (int dx = -p; dx <= p && !explained; ++dx) {
        for (const bool flip : {false, true}) {
          const std::vector<float> expected =
              by_definition(set, {.shift_y = dy, .shift_x = dx, .flip = flip});
          explained |= std::equal(expected.begin(), expected.end(), filled.pixels.begin(),
                                  [](float a, float b) { return std::abs(a - b) < 1e-5F; });
        }
      }
    }
    EXPECT_TRUE(explained) << "epoch " << epoch;
  }
}

TEST(FillBatch, CropsAndFlipsAsDefined) {
  expect_as_defined(patterned_images(2, 5, 1), {.crop_padding = 2});
  expect_as_defined(patterned_images(2, 4, 3), {.crop_padding = 1});
  expect_as_defined(patterned_images(1, 2, 2), {.crop_padding = 4});  // may be black altogether
}

// Written out by hand: a 2x2 image, moved by every shift of one pixel.
TEST(FillBatch, CropsByHand) {
  const ImageSet set(ImageArray{.channels = 1,
                                .height = 2,
                                .width = 2,
                                .num_classes = 10,
                                .pixels = {51, 102, 204, 255},
                                .labels = {0}});
  const std::vector<std::vector<float>> expected{
      {0, 0, 0, 0.2F},  // up left: padding above and to the left
      {0, 0, 0.2F, 0.4F}, {0, 0, 0.4F, 0}, {0, 0.2F, 0, 0.8F}, {0.2F, 0.4F, 0.8F, 1},
      {0.4F, 0, 1, 0},    {0, 0.8F, 0, 0}, {0.8F, 1, 0, 0},    {1, 0, 0, 0},
  };
  std::set<std::size_t> seen;
  for (std::int64_t epoch = 0; epoch < 300; ++epoch) {
    const Augmentation augmentation{
        .options = {.crop_padding = 1, .horizontal_flip = false}, .seed = 1, .epoch = epoch};
    const Filled filled = fill(set, {0}, augmentation, plain(1));
    const auto found = std::find_if(expected.begin(), expected.end(), [&](const auto& image) {
      return std::equal(image.begin(), image.end(), filled.pixels.begin(),
                        [](float a, float b) { return std::abs(a - b) < 1e-6F; });
    });
    ASSERT_NE(found, expected.end());
    seen.insert(static_cast<std::size_t>(found - expected.begin()));
  }
  EXPECT_EQ(seen.size(), expected.size());
}

TEST(FillBatch, CutsTheHole) {
  const ImageArray set = patterned_images(1, 8, 3);
  for (std::int64_t epoch = 0; epoch < 50; ++epoch) {
    const AugmentOptions options{.crop_padding = 0, .horizontal_flip = false, .cutout = 3};
    const Filled filled = fill(set, {0}, Augmentation{options, 1, epoch}, plain(3));
    int top = 8, bottom = 0, left = 8, right = 0, zeros = 0;
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 8; ++x) {
        if (filled.pixels[static_cast<std::size_t>((y * 8 + x) * 3)] != 0) continue;
        top = std::min(top, y), bottom = std::max(bottom, y + 1);
        left = std::min(left, x), right = std::max(right, x + 1);
        ++zeros;
      }
    }
    EXPECT_EQ(zeros, (bottom - top) * (right - left));
    EXPECT_TRUE(bottom - top >= 2 && bottom - top <= 3 && right - left >= 2 && right - left <= 3);
    // A draw outside the hole leaves the image as it is.
    const std::vector<float> expected =
        by_definition(set, {}, {.top = top, .bottom = bottom, .left = left, .right = right});
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const bool hole = filled.pixels[i] == 0;
      EXPECT_NEAR(filled.pixels[i], hole ? 0.0F : expected[i] * 0.5F + 0.25F, 1e-5F);
    }
  }
}

TEST(FillBatch, ErasesToTheMean) {
  const ImageSet set = patterned_images(50, 10, 1);
  const AugmentOptions options{.crop_padding = 0, .horizontal_flip = false, .random_erasing = 1};
  Indices all(50);
  for (std::size_t i = 0; i < 50; ++i) all[i] = static_cast<std::int64_t>(i);
  const Filled erased = fill(set, all, Augmentation{options, 1, 0}, plain(1));
  const Filled whole = fill(set, all, std::nullopt, plain(1));
  int changed = 0;
  for (std::size_t i = 0; i < whole.pixels.size(); ++i) {
    if (erased.pixels[i] == whole.pixels[i]) continue;
    EXPECT_EQ(erased.pixels[i], 0);
    ++changed;
  }
  EXPECT_NEAR(changed, 5000 * 0.17, 300);
}

TEST(FillBatch, ChangesColorsAsTheOptionsSay) {
  const ImageSet set = patterned_images(20, 6, 3);
  const AugmentOptions none{.crop_padding = 0, .horizontal_flip = false};
  AugmentOptions jitter = none, trivial = none;
  jitter.color_jitter = 0.3;
  trivial.trivial_augment = true;
  const Indices indices{0, 1, 2, 3, 4, 5, 6, 7};
  const Filled plainly = fill(set, indices, Augmentation{none, 1, 0}, plain(3));
  const Filled jittered = fill(set, indices, Augmentation{jitter, 1, 0}, plain(3));
  const Filled changed = fill(set, indices, Augmentation{trivial, 1, 0}, plain(3));
  EXPECT_NE(jittered.pixels, plainly.pixels);
  EXPECT_NE(changed.pixels, plainly.pixels);
  EXPECT_NE(changed.pixels, jittered.pixels);
  EXPECT_EQ(fill(set, indices, Augmentation{trivial, 1, 0}, plain(3)), changed);
}

TEST(FillBatch, DoesNotDependOnTheBatch) {
  const ImageSet set = patterned_images(20, 6, 1);
  const Augmentation augmentation{.options = {.cutout = 2}, .seed = 9, .epoch = 3};
  const Filled together = fill(set, {3, 17, 4, 4}, augmentation, plain(1));
  const Filled alone = fill(set, {17}, augmentation, plain(1));
  EXPECT_TRUE(std::equal(alone.pixels.begin(), alone.pixels.end(), together.pixels.begin() + 36));
  EXPECT_EQ(alone.labels[0], together.labels[1]);
  EXPECT_EQ(fill(set, {3, 17, 4, 4}, augmentation, plain(1)), together);
  Augmentation other = augmentation;
  other.epoch = 4;
  EXPECT_NE(fill(set, {3, 17, 4, 4}, other, plain(1)).pixels, together.pixels);
  other = augmentation;
  other.seed = 10;
  EXPECT_NE(fill(set, {3, 17, 4, 4}, other, plain(1)).pixels, together.pixels);
}

/// Over the bits of all values and labels.
std::uint64_t fingerprint(const Filled& filled) {
  std::string bytes(reinterpret_cast<const char*>(filled.pixels.data()),
                    filled.pixels.size() * sizeof(float));
  bytes.append(reinterpret_cast<const char*>(filled.labels.data()),
               filled.labels.size() * sizeof(std::int64_t));
  return fnv1a(bytes);
}

// What is drawn, in which order, and the arithmetic: runs that were begun must go on alike.
TEST(FillBatch, KeepsItsBits) {
  const ImageSet set = patterned_images(20, 6, 3);
  const Normalization normalization{{0.25F, 0.5F, 0.3F}, {0.5F, 0.25F, 0.2F}};
  const Indices indices{3, 17, 4, 4, 0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19};
  Augmentation augmentation{.options = {}, .seed = 5, .epoch = 3};
  EXPECT_EQ(fingerprint(fill(set, indices, augmentation, normalization)), 0xd4d2883611d78cf4U);
  augmentation.options = {.crop_padding = 3, .cutout = 3};
  EXPECT_EQ(fingerprint(fill(set, indices, augmentation, normalization)), 0x30fdbcbe98359fe6U);
}

TEST(FillBatch, RejectsBadArguments) {
  const ImageSet set = patterned_images(3, 2, 1);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              fill(set, {0, 3}, {}, plain(1));
            }),
            "[data::fill_batch] indices[1] must be in [0, 3), got 3");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { fill(set, {0}, {}, plain(3)); }),
            "[data::fill_batch] normalization must have 1 channels, got 3 means and 3 standard "
            "deviations");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              fill(set, {0}, {}, {{0}, {0}});
            }),
            "[data::fill_batch] stddev[0] must be > 0, got 0.000000");
}

}  // namespace
}  // namespace lathe::data
