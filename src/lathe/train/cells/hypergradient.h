// Gradients of what is searched when the weights are being trained: one step ahead (DARTS, second
// order), and the curvature that tells when a search goes wrong.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "lathe/nn/parameters.h"

namespace lathe::train {

/// Two losses of weights and logits. Each call adds gradients at the parameters' present values;
/// gradients are zero when it begins.
struct Bilevel {
  nn::Parameters* weights = nullptr;
  nn::Parameters* logits = nullptr;
  /// Of the training loss, by the weights.
  std::function<void()> training_by_weights;
  /// Of the training loss, by the logits.
  std::function<void()> training_by_logits;
  /// Of the validation loss, by both.
  std::function<void()> validation_by_both;
};

/// The step of the weights that is looked ahead: w' = w - rate * (momentum * buffer + gradient +
/// weight_decay * w).
struct UnrolledStep {
  double rate = 0;  ///< of the weights' optimizer; the published xi
  double momentum = 0;
  double weight_decay = 0;  ///< on the parameters that decay
  at::Tensor buffer;        ///< [weights], or undefined
};

/// Leaves in the logits' gradients that of the validation loss at w', by the logits, w' following
/// from them: d/d logits - rate * (g(w + R v) - g(w - R v)) / (2 R), with v the validation loss's
/// gradient by the weights at w', g the training loss's by the logits, and R = 0.01 / |v|. The
/// weights are as before to the bit, and their gradients zero. Four passes and four times a plain
/// step's time.
/// @see DARTS (Liu et al., ICLR 2019), equations 7 and 8.
void second_order_gradient(const Bilevel& of, const UnrolledStep& step);

/// The dominant eigenvalue, by absolute value, of the Hessian whose products are differences of
/// gradients: power iteration from a random start. `add_gradient` adds the gradient at the
/// parameters' present values, which are as before afterwards to the bit; gradients are then zero.
/// 2 gradients an iteration.
/// @see RobustDARTS (Zela et al., ICLR 2020), section 4.
double dominant_eigenvalue(nn::Parameters& parameters, const std::function<void()>& add_gradient,
                           int iterations, std::uint64_t seed);

}  // namespace lathe::train
