#include "lathe/nn/kernels/images.h"

#include <ATen/ATen.h>

namespace lathe::nn {

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor empty_image(const at::Tensor& like, std::int64_t channels, std::int64_t height,
                       std::int64_t width) {
  return at::empty({like.size(0), channels, height, width},
                   like.options().memory_format(at::MemoryFormat::ChannelsLast));
}

}  // namespace lathe::nn
