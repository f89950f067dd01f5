// Shards of a step's batch over processes, and the one order in which their gradients are added.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

namespace lathe::dist {

/// The global shards first, first + 1, ... first + count - 1.
struct ShardRange {
  int first = 0;
  int count = 1;
};

/// Rank `rank`'s contiguous run of `shards` global shards: all ranks have as many.
/// @throws std::invalid_argument if the rank is not in the world or shards < 1; Error if `shards`
/// is not a multiple of `world_size`, naming --shards.
ShardRange shards_of(int rank, int world_size, int shards);

/// Whether the sum over `shards` is the same to the bit however many ranks of this kind share them:
/// each rank's count of shards must be a power of two, or all shards be one rank's. (With another
/// count a rank's own subtree is none of the whole tree's: 2 x 3 shards are added as
/// ((0+1)+2)+((3+4)+5), 1 x 6 as ((0+1)+(2+3))+(4+5).)
bool sums_alike(int world_size, int shards);

/// terms[0] becomes the sum of all, added by pairs: neighbours first, (0+1), (2+3), ..., then the
/// sums of neighbours, and so on; an odd last one waits for the next round. So the sum over the
/// sums of consecutive groups of 2^k terms is the sum over all terms. The other terms are left with
/// parts of the sum, or become zero. Single thread on the CPU, in blocks that stay in the cache:
/// one pass over the memory.
/// @throws std::invalid_argument if there is no term, or they are not contiguous, of one size, and
/// all float32 or all float64.
enum class Others { kParts, kZero };
void sum_by_tree(std::span<const at::Tensor> terms, Others others = Others::kParts);

/// @throws std::invalid_argument as sum_by_tree().
void check_terms(std::span<const at::Tensor> terms);

}  // namespace lathe::dist
