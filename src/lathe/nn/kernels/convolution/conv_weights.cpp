#include "lathe/nn/kernels/convolution/conv_weights.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>

namespace lathe::nn {

namespace {

std::int64_t blocks_of(const DepthwiseShape& shape, int lanes) {
  return (shape.channels + lanes - 1) / lanes;
}

}  // namespace

std::vector<float> pack_taps(const at::Tensor& weight, const DepthwiseShape& shape, int lanes,
                             bool turned) {
  const int kernel = shape.kernel;
  const std::int64_t blocks = blocks_of(shape, lanes);
  std::vector<float> taps(static_cast<std::size_t>(blocks * kernel * kernel * lanes));
  const float* from = weight.data_ptr<float>();
  float* to = taps.data();
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t channel = std::min(block * lanes, shape.channels - lanes);
    for (int tap = 0; tap < kernel * kernel; ++tap) {
      const int source = turned ? kernel * kernel - 1 - tap : tap;
      const float* first = from + channel * weight.stride(0) + source / kernel * weight.stride(2) +
                           source % kernel * weight.stride(3);
      for (int lane = 0; lane < lanes; ++lane) *to++ = first[lane * weight.stride(0)];
    }
  }
  return taps;
}

at::Tensor unpack_taps(std::vector<float>& sums, std::int64_t parts, const DepthwiseShape& shape,
                       int lanes) {
  const std::size_t part_size = sums.size() / static_cast<std::size_t>(parts);
  for (std::int64_t part = 1; part < parts; ++part) {
    const float* from = sums.data() + static_cast<std::size_t>(part) * part_size;
    for (std::size_t i = 0; i < part_size; ++i) sums[i] += from[i];
  }
  const std::int64_t taps = std::int64_t{shape.kernel} * shape.kernel;
  at::Tensor grad = at::empty({shape.channels, 1, shape.kernel, shape.kernel}, at::kFloat);
  float* to = grad.data_ptr<float>();
  for (std::int64_t block = 0; block < blocks_of(shape, lanes); ++block) {
    const std::int64_t channel = std::min(block * lanes, shape.channels - lanes);
    const float* from = sums.data() + block * taps * lanes;
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        to[(channel + lane) * taps + tap] = from[tap * lanes + lane];
      }
    }
  }
  return grad;
}

Floats pack_matrix(const at::Tensor& weight, const MatrixLoops& loops, bool transposed) {
  const std::int64_t depth = weight.size(transposed ? 0 : 1);
  const std::int64_t columns = weight.size(transposed ? 1 : 0);
  Floats panels(new float[static_cast<std::size_t>(depth * loops.padded(columns))]);
  loops.pack(weight.data_ptr<float>(), depth, columns, weight.stride(transposed ? 0 : 1),
             weight.stride(transposed ? 1 : 0), panels.get());
  return panels;
}

at::Tensor unpack_matrix(const at::Tensor& sums, std::int64_t in) {
  float* to = sums.data_ptr<float>();
  const std::int64_t size = sums.size(1) * sums.size(2);
  for (std::int64_t part = 1; part < sums.size(0); ++part) {
    const float* from = to + part * size;
    for (std::int64_t i = 0; i < size; ++i) to[i] += from[i];
  }
  return sums.select(0, 0).narrow(1, 0, in).unsqueeze(2).unsqueeze(3);
}

}  // namespace lathe::nn
