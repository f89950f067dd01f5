// What a block executes, described by what its time depends on.
#pragma once

#include <array>
#include <compare>
#include <vector>

#include "lathe/space/block.h"

namespace lathe::latency {

enum class OperatorKind {
  kDepthwise,
  kPointwise,  ///< 1x1 convolution
  kDense,      ///< convolution with a larger kernel
  kVector,     ///< linear layer, or convolution of a single pixel
  kAdd,
  kMul,
  kPool,
};
inline constexpr int kNumOperatorKinds = 7;

/// One operation after folding: batch norm and activation belong to the operation before them.
struct Operator {
  OperatorKind kind = OperatorKind::kPointwise;
  int in_channels = 0;
  int out_channels = 0;
  int in_size = 1;  ///< height
  int out_size = 1;
  int kernel = 1;
  bool hard_activation = false;  ///< the block's activation is more than a clamp
  auto operator<=>(const Operator&) const = default;

  double macs() const;   ///< of one image
  double moved() const;  ///< numbers read and written: input, output, weights
};

/// In the order of execution.
std::vector<Operator> operators_of(const space::Block& block);

}  // namespace lathe::latency
