// What a quantized net answers, computed in float: its accuracy without a runtime of integers.
#pragma once

#include <c10/core/Device.h>

#include "lathe/deploy/quantize.h"
#include "lathe/nn/binding.h"
#include "lathe/nn/executor.h"

namespace lathe::deploy {

/// A net that can be run: `executor.forward(binding, x, options)`, x as the quantized net's input.
struct RoundedNet {
  nn::Executor executor;
  nn::Binding binding;
  nn::ForwardOptions options;
};

/// The net whose weights and biases are what the integers of `net` stand for, and whose tensors are
/// rounded to their 256 levels wherever export_quantized_onnx() stores them as integers ("fake
/// quantization"). A runtime that computes on the integers gives the same, but for the order of
/// float sums and for values in the middle between two levels. Takes some three times as long as
/// the float net.
RoundedNet rounded_net(const QuantizedNet& net, c10::Device device = c10::kCPU);

}  // namespace lathe::deploy
