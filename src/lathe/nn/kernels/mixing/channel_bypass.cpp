#include "lathe/nn/kernels/mixing/channel_bypass.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include "lathe/nn/kernels/images.h"
#include "lathe/nn/kernels/mixing/mixed_sum_loops.h"
#include "lathe/nn/kernels/norm/normalised_rows.h"

namespace lathe::nn {
namespace {

enum Slot : int { kSum, kPooled, kGradPooled };

/// [pixels, channels * parts] and [pixels, channels].
struct Parts {
  std::int64_t pixels, channels, parts;
  std::int64_t whole() const { return channels * parts; }
};

void take_first(const float* from, const Parts& p, float* to) {
  for (std::int64_t i = 0; i < p.pixels; ++i, from += p.whole(), to += p.channels) {
    std::memcpy(to, from, static_cast<std::size_t>(p.channels) * sizeof(float));
  }
}

void put_first(const float* from, const Parts& p, float* to) {
  for (std::int64_t i = 0; i < p.pixels; ++i, from += p.channels, to += p.whole()) {
    std::memcpy(to, from, static_cast<std::size_t>(p.channels) * sizeof(float));
  }
}

void shuffle(const float* made, const float* sum, const Parts& p, float* to) {
  for (std::int64_t i = 0; i < p.pixels; ++i, made += p.channels, sum += p.whole()) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      *to++ = made[c];
      for (std::int64_t g = 1; g < p.parts; ++g) *to++ = sum[g * p.channels + c];
    }
  }
}

/// The gradient of the sum, 0 for the first channels.
void unshuffle(const float* grad, const Parts& p, float* sum) {
  for (std::int64_t i = 0; i < p.pixels; ++i, sum += p.whole()) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      sum[c] = 0;
      ++grad;
      for (std::int64_t g = 1; g < p.parts; ++g) sum[g * p.channels + c] = *grad++;
    }
  }
}

/// A 2 x 2 max pool of one image; `width` and `channels` are of the input's rows.
struct Pool {
  std::int64_t height, width, channels;

  template <typename Visit>
  void for_each(const Visit& visit) const {
    const std::int64_t row = width * channels;
    for (std::int64_t y = 0; y < height / 2; ++y) {
      for (std::int64_t x = 0; x < width / 2; ++x) {
        const std::int64_t to = (y * (width / 2) + x) * channels;
        const std::int64_t from = 2 * y * row + 2 * x * channels;
        for (std::int64_t c = 0; c < channels; ++c) {
          visit(to + c, std::array<std::int64_t, 4>{from + c, from + channels + c, from + row + c,
                                                    from + row + channels + c});
        }
      }
    }
  }
  void forward(const float* from, float* to) const {
    for_each([&](std::int64_t i, const std::array<std::int64_t, 4>& window) {
      to[i] = std::max(std::max(from[window[0]], from[window[1]]),
                       std::max(from[window[2]], from[window[3]]));
    });
  }
  /// Of equal largest pixels the first has the gradient.
  void backward(const float* from, const float* pooled, const float* grad, float* to) const {
    std::memset(to, 0, static_cast<std::size_t>(height * width * channels) * sizeof(float));
    for_each([&](std::int64_t i, const std::array<std::int64_t, 4>& window) {
      for (const std::int64_t at : window) {
        if (from[at] == pooled[i]) {
          to[at] = grad[i];
          return;
        }
      }
    });
  }
};

Pool pool_of(const at::Tensor& map) { return {map.size(2), map.size(3), map.size(1)}; }

/// A vector of one number.
struct Constant {
  Constant(float value, int lanes) : values(static_cast<std::size_t>(lanes), value) {}
  const float* data() const { return values.data(); }
  std::vector<float> values;
};

}  // namespace

at::Tensor seen_channels(const at::Tensor& x, std::int64_t parts) {
  const at::Tensor to = empty_image(x, x.size(1) / parts, x.size(2), x.size(3));
  const Parts all{pixels_of(x), to.size(1), parts};
  for_each_image(x.size(0), [&](std::int64_t image) {
    take_first(image_of(x, image), all, image_of(to, image));
  });
  return to;
}

ChannelBypass::ChannelBypass(std::vector<at::Tensor> maps, const at::Tensor& weights,
                             std::int64_t parts)
    : maps_(std::move(maps)), parts_(parts) {
  const at::Tensor dense = weights.contiguous();
  weights_.assign(dense.data_ptr<float>(), dense.data_ptr<float>() + dense.numel());
}

at::Tensor ChannelBypass::forward(const at::Tensor& made) const {
  const at::Tensor y = empty_image(made, made.size(1) * parts_, made.size(2), made.size(3));
  const Parts all{pixels_of(made), made.size(1), parts_};
  const MixedSumLoops loops = mixed_sum_loops();
  const Constant zero(0, loops.lanes);
  for_each_image(made.size(0), [&](std::int64_t image) {
    float* sum = scratch(kSum, image_size(y));
    for (std::size_t i = 0; i < maps_.size(); ++i) {
      const float* from = image_of(maps_[i], image);
      if (image_size(maps_[i]) != image_size(y)) {
        float* pooled = scratch(kPooled, image_size(y));
        pool_of(maps_[i]).forward(from, pooled);
        from = pooled;
      }
      loops.add(from, image_size(y), loops.lanes, zero.data(),
                Constant(weights_[i], loops.lanes).data(), i == 0, sum);
    }
    shuffle(image_of(made, image), sum, all, image_of(y, image));
  });
  return y;
}

at::Tensor ChannelBypass::grad_made(const at::Tensor& grad) const {
  const at::Tensor to = empty_image(grad, grad.size(1) / parts_, grad.size(2), grad.size(3));
  const Parts all{pixels_of(grad), to.size(1), parts_};
  for_each_image(grad.size(0), [&](std::int64_t image) {
    const float* from = image_of(grad, image);
    float* made = image_of(to, image);
    for (std::int64_t i = 0; i < all.pixels * all.channels; ++i) made[i] = from[i * parts_];
  });
  return to;
}

ChannelBypass::Gradients ChannelBypass::backward(const at::Tensor& grad,
                                                 const std::vector<at::Tensor>& grad_seen) const {
  const std::int64_t images = grad.size(0);
  const std::int64_t parts = image_parts(images);
  const std::int64_t size = image_size(grad);
  const Parts all{pixels_of(grad), grad.size(1) / parts_, parts_};
  const MixedSumLoops loops = mixed_sum_loops();
  const Constant zero(0, loops.lanes);
  PartSums sums(parts, static_cast<std::int64_t>(maps_.size()) * loops.lanes);
  Gradients to;
  for (std::size_t i = 0; i < maps_.size(); ++i) {
    to.maps.push_back(grad_seen[i].defined() ? at::empty_like(maps_[i]) : at::Tensor());
  }
  for_each_image(images, parts, [&](std::int64_t image, std::int64_t part) {
    float* grad_sum = scratch(kSum, size);
    unshuffle(image_of(grad, image), all, grad_sum);
    for (std::size_t i = 0; i < maps_.size(); ++i) {
      const at::Tensor& map = maps_[i];
      const bool pools = image_size(map) != size;
      const float* from = image_of(map, image);
      float* grad_map = to.maps[i].defined() ? image_of(to.maps[i], image) : nullptr;
      float* pooled = pools ? scratch(kPooled, size) : nullptr;
      if (pools) pool_of(map).forward(from, pooled);
      float* direct = pools && grad_map != nullptr ? scratch(kGradPooled, size) : grad_map;
      loops.backward(pools ? pooled : from, grad_sum, size, loops.lanes, zero.data(),
                     Constant(weights_[i], loops.lanes).data(), direct,
                     sums.part(part) + static_cast<std::int64_t>(i) * loops.lanes);
      if (grad_map == nullptr) continue;
      if (pools) pool_of(map).backward(from, pooled, direct, grad_map);
      put_first(image_of(grad_seen[i], image), {pixels_of(map), all.channels, all.parts}, grad_map);
    }
  });
  to.weights = at::empty({static_cast<std::int64_t>(maps_.size())}, at::kFloat);
  const double* total = sums.total();
  for (std::size_t i = 0; i < maps_.size(); ++i, total += loops.lanes) {
    double sum = 0;
    for (int lane = 0; lane < loops.lanes; ++lane) sum += total[lane];
    to.weights.data_ptr<float>()[i] = static_cast<float>(sum);
  }
  return to;
}

}  // namespace lathe::nn
