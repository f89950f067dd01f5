// A small multilayer perceptron with one output: inference only. It is the accuracy predictor and
// the learned latency model; fitting one takes gradients and lives with the trainer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lathe/core/tensor_map.h"
#include "lathe/regress/dense_kernel.h"

namespace lathe::regress {

/// Of the hidden layers; the last layer is linear.
enum class HiddenActivation { kRelu, kSigmoid };

/// `relu` or `sigmoid`, as files write it.
std::string to_string(HiddenActivation activation);
/// @throws Error `<where>: ...` for another name.
HiddenActivation hidden_activation_from_string(const std::string& name, const std::string& where);

/// One dense layer: y = weight * x + bias.
struct DenseLayer {
  int inputs = 0;
  int outputs = 0;
  std::vector<float> weight;  ///< [outputs, inputs] row-major
  std::vector<float> bias;    ///< [outputs]
  bool operator==(const DenseLayer&) const = default;
};

/// A value: copies are independent, all members are const and thread-safe.
class Perceptron {
 public:
  /// @throws std::invalid_argument if there is no layer, a layer's arrays disagree with its sizes,
  /// a layer's inputs are not the outputs of the one before, or the last has not one output.
  Perceptron(std::vector<DenseLayer> layers, HiddenActivation activation);

  int inputs() const { return layers_.front().inputs; }
  const std::vector<DenseLayer>& layers() const { return layers_; }
  HiddenActivation activation() const { return activation_; }

  /// The output for each row of `inputs`: [n, inputs()] float32 row-major, any n >= 0.
  ///
  /// A row's output is the same to the bit however the rows are split into calls, and on any
  /// number of threads; see dense_forward(). O(n * weights).
  /// @throws std::invalid_argument if the size is no multiple of inputs().
  std::vector<float> predict(std::span<const float> inputs) const;

  /// The derivative of the output by each input at each row of `inputs`: [n, inputs()], as
  /// predict() takes them and with the same promise. At a ReLU's corner the derivative is 0.
  /// About twice the time of predict().
  /// @throws std::invalid_argument as predict().
  std::vector<float> gradients(std::span<const float> inputs) const;

  /// `0.weight` [out, in], `0.bias` [out], `2.weight`, `2.bias`, ...: the numbering of a sequence
  /// of linear layers with an activation between each two, as published predictors have it.
  TensorMap to_tensors() const;
  /// The inverse; sizes are read off the tensors. `where` names the file in errors.
  /// @throws Error `<where>: ...` naming the tensor that is missing, unexpected, of a shape that
  /// does not fit, or holds a value that is not finite.
  static Perceptron from_tensors(const TensorMap& tensors, HiddenActivation activation,
                                 const std::string& where);

  bool operator==(const Perceptron& other) const {
    return activation_ == other.activation_ && layers_ == other.layers_;
  }

 private:
  std::int64_t rows_of(std::span<const float> inputs, const char* function) const;

  std::vector<DenseLayer> layers_;
  std::vector<PackedDense> packed_;
  std::vector<PackedDense> packed_transposed_;
  HiddenActivation activation_;
};

}  // namespace lathe::regress
