#include "lathe/nn/threads.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "core/temporary_folder.h"

namespace lathe::nn {
namespace {

using lathe::testing::text_thrown;

TEST(ThreadsScope, PutsBackWhatWasThere) {
  const int before = at::get_num_threads();
  {
    const ThreadsScope one(1);
    EXPECT_EQ(at::get_num_threads(), 1);
    {
      const ThreadsScope three(3);
      EXPECT_EQ(at::get_num_threads(), 3);
    }
    EXPECT_EQ(at::get_num_threads(), 1);
  }
  EXPECT_EQ(at::get_num_threads(), before);
}

TEST(Workers, CallEachIndexOnceOnTheSameThreadEveryTime) {
  Workers workers(3, 1);
  EXPECT_EQ(workers.count(), 3);
  std::array<std::thread::id, 3> first;
  for (int round = 0; round < 50; ++round) {
    std::array<std::atomic<int>, 3> calls{};
    std::array<std::thread::id, 3> threads;
    workers.run([&](int worker) {
      ++calls.at(static_cast<std::size_t>(worker));
      threads.at(static_cast<std::size_t>(worker)) = std::this_thread::get_id();
    });
    for (const std::atomic<int>& count : calls) EXPECT_EQ(count, 1);
    if (round == 0) first = threads;
    EXPECT_EQ(threads, first);
  }
  EXPECT_EQ((std::set<std::thread::id>(first.begin(), first.end()).size()), 3U);
}

TEST(Workers, ThrowTheFirstExceptionAfterAllHaveEndedAndGoOn) {
  Workers workers(3, 1);
  std::atomic<int> ended = 0;
  EXPECT_EQ(text_thrown<std::runtime_error>([&] {
              workers.run([&](int worker) {
                ++ended;
                if (worker > 0) throw std::runtime_error("worker " + std::to_string(worker));
              });
            }),
            "worker 1");
  EXPECT_EQ(ended, 3);
  workers.run([&](int) { ++ended; });
  EXPECT_EQ(ended, 6);
}

TEST(Workers, NeedAtLeastOneThread) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { Workers(0, 1); }),
            "[nn::Workers] count and threads_each must be >= 1, got 0 and 1");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { Workers(2, 0); }),
            "[nn::Workers] count and threads_each must be >= 1, got 2 and 0");
}

}  // namespace
}  // namespace lathe::nn
