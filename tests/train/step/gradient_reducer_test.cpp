// The sum over replicas and ranks against dist::sum_by_tree() of all shards' gradients. Two ranks
// are two threads here, connected as two processes are.
#include "lathe/train/step/gradient_reducer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <exception>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/temporary_folder.h"
#include "dist/ranks.h"
#include "lathe/core/random.h"
#include "lathe/dist/shard_tree.h"

namespace lathe::train {
namespace {

using lathe::testing::free_port;
using lathe::testing::text_thrown;

const std::vector<nn::Parameters::Declaration> kParameters{{"first", {5, 3}, true},
                                                           {"second", {7}, true},
                                                           {"third", {2, 2, 2}, true},
                                                           {"norm", {5}, false}};

/// What a pass of a shard adds to the gradient of a parameter: of many magnitudes, so that the
/// order in which shards are added shows.
at::Tensor gradient(const std::string& name, int shard, int pass) {
  std::uint64_t index = 0;
  while (kParameters[index].name != name) ++index;
  Rng rng =
      Rng::derived(7, {index, static_cast<std::uint64_t>(shard), static_cast<std::uint64_t>(pass)});
  const at::Tensor values = at::empty(kParameters[index].shape, at::kFloat);
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    values.data_ptr<float>()[i] = static_cast<float>(rng.normal() * std::pow(10.0, rng.below(6)));
  }
  return values;
}

/// A loss whose gradient with respect to `names` is gradient().
at::Tensor loss(const nn::Parameters& parameters, int replica, int shard, int pass,
                const std::vector<std::string>& names) {
  at::Tensor sum = at::zeros({});
  for (const std::string& name : names) {
    sum = sum + (parameters.leaf(name, replica) * gradient(name, shard, pass)).sum();
  }
  return sum;
}

const std::vector<std::string> kAll{"first", "second", "third", "norm"};
const std::vector<std::string> kLast{"second", "norm"};  // that the last pass reaches

/// The flat gradient that all `shards` have together after two passes.
at::Tensor expected(int shards) {
  std::vector<at::Tensor> terms;
  for (int shard = 0; shard < shards; ++shard) {
    nn::Parameters alone(kParameters);
    loss(alone, 0, shard, 0, kAll).backward();
    loss(alone, 0, shard, 1, kLast).backward();
    terms.push_back(alone.grads());
  }
  dist::sum_by_tree(terms);
  return terms.front();
}

/// One rank of a job, with as many replicas as it has shards.
struct Rank {
  nn::Parameters parameters;
  dist::ProcessGroup group;
  GradientReducer reducer;
  nn::Workers workers{1, 1};

  Rank(int replicas, dist::ProcessGroup of, std::int64_t bucket_bytes)
      : parameters(kParameters, replicas),
        group(std::move(of)),
        reducer(parameters, group, {.bucket_bytes = bucket_bytes}) {}

  int shard(int replica) const { return group.rank() * parameters.replicas() + replica; }
  void first_pass(int replica) { loss(parameters, replica, shard(replica), 0, kAll).backward(); }
  void step() {
    for (const bool last : {false, true}) {
      for (int r = 0; r < parameters.replicas(); ++r) {
        if (!last) {
          if (r == 0) reducer.begin();
          first_pass(r);
          continue;
        }
        const at::Tensor of_last = loss(parameters, r, shard(r), 1, kLast);
        reducer.begin_last_backward(r, of_last);
        of_last.backward();
      }
    }
    reducer.finish(workers);
  }
  /// grads(0) is the sum over all `shards`, to the bit; the others are zero.
  void expect_sum(int shards) const {
    EXPECT_TRUE(at::equal(parameters.grads(0), expected(shards)));
    for (int r = 1; r < parameters.replicas(); ++r) {
      EXPECT_EQ(parameters.grads(r).abs().max().item<float>(), 0) << r;
    }
  }
};

TEST(GradientReducer, AddsReplicasOfOneProcess) {
  for (const int replicas : {1, 2, 3, 5}) {
    for (const int workers : {1, 2, 7}) {
      Rank rank(replicas, dist::ProcessGroup(), 24);
      nn::Workers several(workers, 1);
      for (int step = 0; step < 2; ++step) {
        rank.parameters.grads(0).zero_();  // as the optimizer does
        rank.reducer.begin();
        for (int r = 0; r < replicas; ++r) {
          rank.first_pass(r);
          loss(rank.parameters, r, r, 1, kLast).backward();
        }
        rank.reducer.finish(several);
        rank.expect_sum(replicas);
      }
    }
  }
}

TEST(GradientReducer, OrderMatters) {  // or the tests could not fail by it
  at::Tensor one_by_one = expected(1).clone();
  for (int shard = 1; shard < 4; ++shard) {
    nn::Parameters alone(kParameters);
    loss(alone, 0, shard, 0, kAll).backward();
    loss(alone, 0, shard, 1, kLast).backward();
    one_by_one.add_(alone.grads());
  }
  EXPECT_TRUE(at::allclose(one_by_one, expected(4), 1e-4, 1e-1));
  EXPECT_FALSE(at::equal(one_by_one, expected(4)));
}

TEST(GradientReducer, BucketsHoldAtLeastAnElement) {
  nn::Parameters parameters(kParameters);
  dist::ProcessGroup alone;
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { GradientReducer(parameters, alone, {.bucket_bytes = 0}); }),
            "[train::GradientReducer] bucket_bytes must be > 0, got 0");
  GradientReducer(parameters, alone, {.bucket_bytes = 1});
}

class TwoRanks : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!dist::ProcessGroup::available(c10::DeviceType::CPU)) GTEST_SKIP() << "built without Gloo";
  }

  /// Runs `work` as each of two ranks, side by side.
  static void on_both(int replicas, std::int64_t bucket_bytes,
                      const std::function<void(Rank&)>& work) {
    const int port = free_port();
    std::vector<std::exception_ptr> failures(2);
    std::vector<std::thread> threads;
    for (int r = 0; r < 2; ++r) {
      threads.emplace_back([&, r] {
        try {
          const dist::Launch launch{.launcher = "torchrun",
                                    .rank = r,
                                    .local_rank = r,
                                    .world_size = 2,
                                    .master_port = port};
          Rank rank(replicas, dist::ProcessGroup(launch, {}), bucket_bytes);
          work(rank);
          rank.group.barrier();
        } catch (...) {
          failures[static_cast<std::size_t>(r)] = std::current_exception();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
  }
};

TEST_F(TwoRanks, HaveTheSumOfAllShards) {
  // An element a bucket, buckets that cut parameters, one of all with weight decay and one of the
  // rest.
  for (const std::int64_t bucket_bytes : {4, 24, 1 << 20}) {
    for (const int replicas : {1, 2}) {
      SCOPED_TRACE(std::to_string(bucket_bytes) + " bytes, replicas " + std::to_string(replicas));
      on_both(replicas, bucket_bytes, [&](Rank& rank) {
        for (int step = 0; step < 3; ++step) {
          rank.parameters.grads(0).zero_();
          rank.step();
          rank.expect_sum(2 * replicas);
        }
      });
    }
  }
}

TEST_F(TwoRanks, AddBeforeTheLastBackwardWhatItDoesNotReach) {
  on_both(1, 4 * 15, [](Rank& rank) {  // a bucket's length: the first parameter's
    rank.reducer.begin();
    rank.first_pass(0);
    const at::Tensor of_last = loss(rank.parameters, 0, rank.shard(0), 1, kLast);
    rank.reducer.begin_last_backward(0, of_last);
    const at::Tensor sum = rank.parameters.part(expected(2), "first");
    const at::Tensor now = rank.parameters.part(rank.parameters.grads(), "first");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    // The group's thread writes it meanwhile: looked at now and then, judged by its value alone.
    while (!at::equal(now, sum) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_TRUE(at::equal(now, sum));
    of_last.backward();
    rank.reducer.finish(rank.workers);
    rank.expect_sum(2);
  });
}

TEST_F(TwoRanks, BothSeeWhatIsNotFiniteOnOne) {
  on_both(2, 24, [](Rank& rank) {
    rank.reducer.begin();
    for (int r = 0; r < 2; ++r) rank.first_pass(r);
    if (rank.group.rank() == 1) {
      rank.parameters.part(rank.parameters.grads(1), "second")[3] =
          std::numeric_limits<float>::quiet_NaN();
    }
    for (int r = 0; r < 2; ++r) {
      const at::Tensor of_last = loss(rank.parameters, r, rank.shard(r), 1, kLast);
      rank.reducer.begin_last_backward(r, of_last);
      of_last.backward();
    }
    rank.reducer.finish(rank.workers);
    const at::Tensor bad = rank.parameters.grads(0).isnan();
    EXPECT_EQ(bad.sum().item<std::int64_t>(), 1);
    EXPECT_TRUE(rank.parameters.part(bad, "second")[3].item<bool>());
    EXPECT_EQ(rank.parameters.grads(1).abs().max().item<float>(), 0);
  });
}

TEST_F(TwoRanks, RefuseToFinishBeforeEveryReplicasLastBackward) {
  on_both(2, 24, [](Rank& rank) {
    rank.reducer.begin();
    for (int r = 0; r < 2; ++r) rank.first_pass(r);
    const at::Tensor of_last = loss(rank.parameters, 0, rank.shard(0), 1, kLast);
    rank.reducer.begin_last_backward(0, of_last);
    of_last.backward();
    EXPECT_EQ(text_thrown<std::logic_error>([&] { rank.reducer.finish(rank.workers); }),
              "[train::GradientReducer] a replica's last backward is not over");
  });
}

}  // namespace
}  // namespace lathe::train
