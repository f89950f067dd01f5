// The one product that search spends its time in: many rows through one dense layer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lathe::regress {

/// The weights of a dense layer, laid out for dense_forward(): transposed, and padded to whole
/// panels of kPanel outputs.
class PackedDense {
 public:
  static constexpr int kPanel = 32;

  /// `weight`: [outputs, inputs] row-major; `bias`: [outputs].
  /// @throws std::invalid_argument if a size is not positive or disagrees.
  PackedDense(int inputs, int outputs, std::span<const float> weight, std::span<const float> bias);

  int inputs() const { return inputs_; }
  int outputs() const { return outputs_; }
  int num_panels() const { return (outputs_ + kPanel - 1) / kPanel; }
  /// [inputs, kPanel] of panel `p`.
  const float* panel(int p) const;
  const float* panel_bias(int p) const;

 private:
  int inputs_;
  int outputs_;
  std::vector<float> panels_;
  std::vector<float> bias_;
};

/// y = x * weight^T + bias for `rows` rows. `x`: [rows, inputs], `y`: [rows, outputs], row-major.
///
/// Every output is one accumulator that adds its products in the order of the inputs, so a row's
/// result is the same to the bit whichever rows are computed beside it, and on one thread or many.
/// Processors with and without fused multiply-add differ in rounding.
///
/// A library's matrix product promises neither, and its thread pool would compete with the one
/// that calls this. Uses the widest vectors of the processor, chosen when first called.
/// @throws std::invalid_argument if `x` or `y` has another size.
void dense_forward(const PackedDense& layer, std::span<const float> x, std::int64_t rows,
                   std::span<float> y);

}  // namespace lathe::regress
