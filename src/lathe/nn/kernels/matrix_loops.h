// Matrix products of tall arrays of activations with small matrices of weights: the loops of a
// pointwise convolution, on raw row-major arrays.
#pragma once

#include <cstdint>

#include "lathe/core/isa.h"

namespace lathe::nn {

/// What one instruction set offers. A matrix [depth, columns] that many rows are multiplied with is
/// packed first: in panels of a few vectors of `lanes` columns, [depth, width] each, one after the
/// other, the last one padded with columns of 0.
struct MatrixLoops {
  int lanes = 1;

  /// Columns with padding: packed() takes depth * padded(columns) floats.
  std::int64_t padded(std::int64_t columns) const { return (columns + lanes - 1) / lanes * lanes; }

  /// Packs from[k * depth_stride + c * column_stride].
  void (*pack)(const float* from, std::int64_t depth, std::int64_t columns,
               std::int64_t depth_stride, std::int64_t column_stride, float* panels);

  /// c = a * b for a: [rows, depth] with `a_stride` floats between rows, b packed, and
  /// c: [rows, columns] without gaps. Each element is one sum over the depth in ascending order.
  void (*product)(const float* a, std::int64_t a_stride, std::int64_t rows, std::int64_t depth,
                  const float* panels, std::int64_t columns, float* c);

  /// sums += a^T * b for a: [rows, m] and b: [rows, padded(n)], with gaps between their rows, and
  /// sums: [m, padded(n)] without. Rows are added in ascending order.
  void (*add_outer)(const float* a, std::int64_t a_stride, const float* b, std::int64_t b_stride,
                    std::int64_t rows, std::int64_t m, std::int64_t n, float* sums);
};

/// The loops for `isa`, which the machine must have.
MatrixLoops matrix_loops(Isa isa = best_isa());

}  // namespace lathe::nn
