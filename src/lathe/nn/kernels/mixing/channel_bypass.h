// What bypasses the operations of a net that sees a part of its channels only (PC-DARTS), image by
// image.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace lathe::nn {

/// The part of x, [N, C * parts, H, W], that operations see: its first C channels, channels-last.
at::Tensor seen_channels(const at::Tensor& x, std::int64_t parts);

/// The sum of the other channels of several maps, each times a number and through a 2 x 2 max pool
/// where the result is smaller, shuffled with what operations made of the channels that they see.
class ChannelBypass {
 public:
  /// maps: [N, C * parts, H, W], channels-last; weights: [maps].
  ChannelBypass(std::vector<at::Tensor> maps, const at::Tensor& weights, std::int64_t parts);

  /// [N, C * parts, H', W'] from what operations made, [N, C, H', W'], channels-last: of each pixel
  /// channel i * parts is `made`'s channel i, and i * parts + g the sum's channel g * C + i.
  at::Tensor forward(const at::Tensor& made) const;

  /// The gradient of `made` from that of the result, channels-last.
  at::Tensor grad_made(const at::Tensor& grad) const;

  struct Gradients {
    std::vector<at::Tensor> maps;
    at::Tensor weights;
  };
  /// The gradients of maps from that of the result and those of the channels that were seen, each
  /// of which may be undefined: then that map's isn't asked for.
  Gradients backward(const at::Tensor& grad, const std::vector<at::Tensor>& grad_seen) const;

 private:
  std::vector<at::Tensor> maps_;
  std::vector<float> weights_;
  std::int64_t parts_;
};

}  // namespace lathe::nn
