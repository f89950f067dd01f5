#include "lathe/data/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>

#include "core/temporary_folder.h"

namespace lathe::data {
namespace {

using lathe::testing::text_thrown;

ImageSet numbered_set() {
  ImageArray images{.channels = 1, .height = 4, .width = 4, .num_classes = 10};
  for (int i = 0; i < 100; ++i) {
    for (int p = 0; p < 16; ++p) images.pixels.push_back(static_cast<std::uint8_t>(i + p));
    images.labels.push_back(i % 10);
  }
  return images;
}

const Normalization kPlain{{0}, {1}};

BatchPlan plan_of(std::int64_t batches) {
  return [batches](std::int64_t number) -> std::optional<BatchRequest> {
    if (number >= batches) return std::nullopt;
    return BatchRequest{.indices = {number % 100, (number * 7 + 3) % 100},
                        .augmentation = Augmentation{{.cutout = 2}, 5, number / 50, number},
                        .image_size = number % 3 == 0 ? 8 : 0};
  };
}

std::vector<float> pixels_of(const ImageBatch& batch) {
  return {batch.pixels.get(), batch.pixels.get() + batch.count * batch.size * batch.size};
}

TEST(Loader, GivesTheSameWithAnyNumberOfThreads) {
  std::vector<std::vector<float>> expected;
  for (const int threads : {0, 1, 3}) {
    for (const std::int64_t ahead : {1, 5}) {
      Loader loader(numbered_set(), kPlain, plan_of(40), {.threads = threads, .ahead = ahead});
      for (std::int64_t number = 0; number < 40; ++number) {
        const ImageBatch batch = loader.take(number);
        EXPECT_EQ(batch.size, number % 3 == 0 ? 8 : 4);
        EXPECT_EQ(batch.labels[0], number % 10);
        if (threads == 0 && ahead == 1) expected.push_back(pixels_of(batch));
        ASSERT_EQ(pixels_of(batch), expected[static_cast<std::size_t>(number)]);
      }
      EXPECT_EQ(text_thrown<std::invalid_argument>([&] { loader.take(40); }),
                "[data::Loader::take] the plan has no batch 40");
      EXPECT_EQ(text_thrown<std::invalid_argument>([&] { loader.take(7); }),
                "[data::Loader::take] batch 7 was taken before");
    }
  }
}

TEST(Loader, IsTakenFromByThreadsInAnyOrder) {
  Loader loader(numbered_set(), kPlain, plan_of(60), {.threads = 2, .ahead = 3});
  std::atomic<int> right{0};
  const auto take_every_third = [&](std::int64_t first) {
    for (std::int64_t number = first; number < 60; number += 3) {
      right += loader.take(number).labels[0] == number % 10;
    }
  };
  std::vector<std::jthread> takers;
  for (std::int64_t first = 0; first < 3; ++first) takers.emplace_back(take_every_third, first);
  takers.clear();
  EXPECT_EQ(right, 60);
}

TEST(Loader, BeginsNoMoreThanIsAhead) {
  std::atomic<std::int64_t> begun{0};
  const BatchPlan plan = [&](std::int64_t number) {
    begun = std::max(begun.load(), number + 1);
    return plan_of(1000)(number);
  };
  Loader loader(numbered_set(), kPlain, plan, {.threads = 1, .ahead = 4, .first = 10});
  for (std::int64_t number = 10; number < 30; ++number) {
    loader.take(number);
    EXPECT_LE(begun, number + 1 + 4);
  }
  // Left alone, it makes just these.
  for (int i = 0; i < 2000 && begun < 34; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(begun, 34);
}

TEST(Loader, CarriesExceptionsToTheTaker) {
  const BatchPlan plan = [](std::int64_t number) -> std::optional<BatchRequest> {
    return BatchRequest{.indices = {number == 2 ? 100 : number}};
  };
  for (const int threads : {0, 2}) {
    Loader loader(numbered_set(), kPlain, plan, {.threads = threads});
    EXPECT_EQ(loader.take(0).count, 1);
    EXPECT_EQ(loader.take(1).count, 1);
    EXPECT_EQ(text_thrown<std::invalid_argument>([&] { loader.take(2); }),
              "[data::fill_batch] indices[0] must be in [0, 100), got 100");
    EXPECT_EQ(loader.take(3).count, 1);  // and goes on
  }
}

TEST(Loader, RejectsBadArguments) {
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [] { const Loader loader(numbered_set(), kPlain, plan_of(1), {.threads = -1}); }),
            "[data::Loader] threads must be >= 0, got -1");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [] { const Loader loader(numbered_set(), kPlain, plan_of(1), {.ahead = 0}); }),
            "[data::Loader] ahead must be > 0, got 0");
}

}  // namespace
}  // namespace lathe::data
