#include "lathe/dist/shard_tree.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/core/error.h"

namespace lathe::dist {
namespace {

constexpr std::int64_t kBlock = 4096;  // 16 KiB of each term: some stay in the first-level cache

/// Calls add(a, b), meaning term a += term b, in the tree's order.
template <typename Add>
void walk_tree(std::size_t terms, const Add& add) {
  for (std::size_t stride = 1; stride < terms; stride *= 2) {
    for (std::size_t i = 0; i + stride < terms; i += 2 * stride) {
      add(i, i + stride);
    }
  }
}

template <typename T>
void sum_blocks(std::span<const at::Tensor> terms, Others others) {
  std::vector<T*> data;
  for (const at::Tensor& term : terms) {
    data.push_back(term.data_ptr<T>());
  }
  const std::int64_t size = terms.front().numel();
  for (std::int64_t begin = 0; begin < size; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, size - begin);
    walk_tree(terms.size(), [&](std::size_t a, std::size_t b) {
      T* into = data[a] + begin;
      T* from = data[b] + begin;
      for (std::int64_t i = 0; i < count; ++i) {
        into[i] += from[i];
      }
      if (others == Others::kZero) {
        std::fill_n(from, count, T{0});
      }
    });
  }
}

}  // namespace

ShardRange shards_of(int rank, int world_size, int shards) {
  if (world_size < 1 || rank < 0 || rank >= world_size || shards < 1) {
    throw std::invalid_argument(
        "[dist::shards_of] rank must be in [0, world_size) and shards >= "
        "1, got rank " +
        std::to_string(rank) + " of " + std::to_string(world_size) + ", " + std::to_string(shards) +
        " shards");
  }
  if (shards % world_size != 0) {
    throw Error("--shards " + std::to_string(shards) + " can't be shared evenly by " +
                std::to_string(world_size) + " processes; make it a multiple of " +
                std::to_string(world_size));
  }
  const int count = shards / world_size;
  return {rank * count, count};
}

bool sums_alike(int world_size, int shards) {
  return world_size == 1 || std::has_single_bit(static_cast<unsigned>(shards / world_size));
}

void check_terms(std::span<const at::Tensor> terms) {
  if (terms.empty()) {
    throw std::invalid_argument("[dist::sum_by_tree] needs at least one term");
  }
  const at::Tensor& first = terms.front();
  for (const at::Tensor& term : terms) {
    if (term.numel() != first.numel() || term.scalar_type() != first.scalar_type() ||
        !term.is_contiguous() ||
        (term.scalar_type() != at::kFloat && term.scalar_type() != at::kDouble)) {
      throw std::invalid_argument(
          "[dist::sum_by_tree] terms must be contiguous, of one size and all float32 or float64, "
          "got " +
          std::string(toString(term.scalar_type())) + " of " + std::to_string(term.numel()) +
          " elements" + (term.is_contiguous() ? "" : ", not contiguous"));
    }
  }
}

void sum_by_tree(std::span<const at::Tensor> terms, Others others) {
  check_terms(terms);
  const at::Tensor& first = terms.front();
  if (!first.is_cpu()) {
    walk_tree(terms.size(), [&](std::size_t a, std::size_t b) {
      terms[a].add_(terms[b]);
      if (others == Others::kZero) terms[b].zero_();
    });
  } else if (first.scalar_type() == at::kFloat) {
    sum_blocks<float>(terms, others);
  } else {
    sum_blocks<double>(terms, others);
  }
}

}  // namespace lathe::dist
