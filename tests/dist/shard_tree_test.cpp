#include "lathe/dist/shard_tree.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "dist/worker_inputs.h"
#include "lathe/core/error.h"

namespace lathe::dist {
namespace {

using lathe::testing::bytes_of;
using lathe::testing::input;
using lathe::testing::text_thrown;

std::vector<at::Tensor> inputs(int count, std::int64_t size, at::ScalarType type = at::kFloat) {
  std::vector<at::Tensor> result;
  for (int i = 0; i < count; ++i) {
    result.push_back(input(i, size, type));
  }
  return result;
}

at::Tensor tree_sum(std::vector<at::Tensor> terms) {
  sum_by_tree(terms);
  return terms[0];
}

TEST(SumByTree, AddsNeighboursFirst) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const std::vector<at::Tensor> t = inputs(7, 5000, type);
    const at::Tensor expected = ((t[0] + t[1]) + (t[2] + t[3])) + ((t[4] + t[5]) + t[6]);
    EXPECT_TRUE(tree_sum(inputs(7, 5000, type)).equal(expected));
    EXPECT_TRUE(tree_sum(inputs(1, 5000, type)).equal(t[0]));
    EXPECT_TRUE(tree_sum(inputs(2, 5000, type)).equal(t[0] + t[1]));
    EXPECT_TRUE(tree_sum(inputs(3, 5000, type)).equal((t[0] + t[1]) + t[2]));
    // The order shows in these numbers: the test could fail.
    EXPECT_FALSE(expected.equal(((((((t[0] + t[1]) + t[2]) + t[3]) + t[4]) + t[5]) + t[6])));
  }
}

TEST(SumByTree, OfSumsIsTheSumOfAll) {
  for (const int world_size : {1, 2, 3, 4, 5, 8}) {
    for (const int each : {1, 2, 3, 4, 6, 8}) {
      std::vector<at::Tensor> sums;
      for (int rank = 0; rank < world_size; ++rank) {
        const ShardRange range = shards_of(rank, world_size, world_size * each);
        std::vector<at::Tensor> own;
        for (int i = 0; i < range.count; ++i) {
          own.push_back(input(range.first + i, 3000, at::kFloat));
        }
        sums.push_back(tree_sum(own));
      }
      const bool same = tree_sum(sums).equal(tree_sum(inputs(world_size * each, 3000)));
      // Where it isn't promised, it isn't so either; a last incomplete group excepted.
      EXPECT_EQ(same, sums_alike(world_size, world_size * each)) << world_size << " x " << each;
    }
  }
}

TEST(SumByTree, RefusesWhatItCannotAdd) {
  const std::string text =
      "[dist::sum_by_tree] terms must be contiguous, of one size and all float32 or float64, got ";
  const auto refused = [&](const std::vector<at::Tensor>& terms) {
    return text_thrown<std::invalid_argument>([&] { sum_by_tree(terms); });
  };
  EXPECT_EQ(refused({}), "[dist::sum_by_tree] needs at least one term");
  EXPECT_EQ(refused({at::zeros({2}), at::zeros({3})}), text + "Float of 3 elements");
  EXPECT_EQ(refused({at::zeros({2}), at::zeros({2}, at::kDouble)}), text + "Double of 2 elements");
  EXPECT_EQ(refused({at::zeros({2}, at::kLong)}), text + "Long of 2 elements");
  EXPECT_EQ(refused({at::zeros({2, 3}).t()}), text + "Float of 6 elements, not contiguous");
}

TEST(SumByTree, ClearsTheOthersIfAsked) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    std::vector<at::Tensor> terms = inputs(5, 9000, type);
    sum_by_tree(terms, Others::kZero);
    EXPECT_TRUE(terms[0].equal(tree_sum(inputs(5, 9000, type))));
    for (std::size_t i = 1; i < terms.size(); ++i) {
      EXPECT_TRUE(terms[i].equal(at::zeros_like(terms[i])));
    }
  }
}

TEST(ShardsOf, SharesThemInOrder) {
  EXPECT_EQ(shards_of(0, 1, 6).count, 6);
  EXPECT_EQ(shards_of(2, 3, 6).first, 4);
  EXPECT_EQ(shards_of(2, 3, 6).count, 2);
  EXPECT_EQ(text_thrown<Error>([] { shards_of(0, 4, 6); }),
            "--shards 6 can't be shared evenly by 4 processes; make it a multiple of 4");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { shards_of(2, 2, 2); }),
            "[dist::shards_of] rank must be in [0, world_size) and shards >= 1, got rank 2 of 2, 2 "
            "shards");
}

}  // namespace
}  // namespace lathe::dist
