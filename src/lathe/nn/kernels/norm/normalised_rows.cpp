#include "lathe/nn/kernels/norm/normalised_rows.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <memory>
#include <stdexcept>

namespace lathe::nn {

bool kernels_run(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.layout() == at::kStrided &&
         x.numel() > 0;
}

float* scratch(int slot, std::int64_t floats) {
  struct Buffer {
    std::unique_ptr<float[]> memory;
    std::int64_t size = 0;
  };
  thread_local std::array<Buffer, kScratchSlots> buffers;
  constexpr std::int64_t kLine = 16;
  Buffer& buffer = buffers.at(static_cast<std::size_t>(slot));
  if (buffer.size < floats) {
    buffer.memory.reset(new float[static_cast<std::size_t>(floats + kLine)]);
    buffer.size = floats;
  }
  const auto address = reinterpret_cast<std::uintptr_t>(buffer.memory.get());
  return buffer.memory.get() + (-address % (kLine * sizeof(float))) / sizeof(float);
}

void check_normalised(const Normalised& x, const std::string& function) {
  const std::string where = "[nn::" + function + "] ";
  if (x.z.dim() != 4) {
    throw std::invalid_argument(where + "x must be [N, C, H, W], got " + std::to_string(x.z.dim()) +
                                " dimensions");
  }
  if (!kernels_run(x.z)) {
    throw std::invalid_argument(where + "x must be float32 on the CPU and not empty");
  }
  if (!x.pending()) return;
  const std::int64_t channels = x.z.size(1);
  if (x.moments.dim() != 2 || x.moments.size(0) != 2 || x.moments.size(1) != channels) {
    throw std::invalid_argument(where + "moments must be [2, " + std::to_string(channels) + "]");
  }
  for (const at::Tensor* vector : {&x.weight, &x.bias}) {
    if (vector->dim() != 1 || vector->size(0) != channels || !kernels_run(*vector)) {
      throw std::invalid_argument(where + "weight and bias must be [" + std::to_string(channels) +
                                  "]");
    }
  }
}

NormalisedRows::NormalisedRows(const Normalised& x)
    : pending_(x.pending()),
      channels_(x.z.size(1)),
      loops_(batch_norm_act_loops(channels_, x.activation)) {
  if (!pending_) return;
  const auto count = static_cast<std::size_t>(channels_);
  const auto moments = x.moments.accessor<float, 2>();
  const auto weight = x.weight.accessor<float, 1>();
  const auto bias = x.bias.accessor<float, 1>();
  for (std::int64_t c = 0; c < channels_; ++c) {
    const double invstd = 1.0 / std::sqrt(static_cast<double>(moments[1][c]) + x.eps);
    mean_.reserve(count);
    mean_.push_back(moments[0][c]);
    invstd_.push_back(invstd);
    weight_.push_back(static_cast<double>(weight[c]));
    scale_.push_back(weight[c] * static_cast<float>(invstd));
    bias_.push_back(bias[c]);
  }
}

void NormalisedRows::read(const float* z, std::int64_t rows, float* y) const {
  loops_.forward(z, rows, channels_, mean_.data(), scale_.data(), bias_.data(), y);
}

void NormalisedRows::chain(const float* z, const float* grad_y, std::int64_t rows, float* grad_z,
                           double* sums) const {
  thread_local std::vector<double> these;
  these.resize(static_cast<std::size_t>(2 * channels_));
  loops_.chain(z, grad_y, rows, channels_, mean_.data(), scale_.data(), bias_.data(), grad_z,
               these.data());
  for (std::size_t i = 0; i < these.size(); ++i) sums[i] += these[i];
}

NormalisedRows::VectorGrads NormalisedRows::vector_grads(const double* sums) const {
  VectorGrads to{at::empty({2, channels_}, at::kFloat), at::empty({channels_}, at::kFloat),
                 at::empty({channels_}, at::kFloat)};
  float* moments = to.moments.data_ptr<float>();
  float* weight = to.weight.data_ptr<float>();
  float* bias = to.bias.data_ptr<float>();
  for (std::int64_t c = 0; c < channels_; ++c) {
    const auto i = static_cast<std::size_t>(c);
    const double sum = sums[c];
    const double product = sums[channels_ + c];
    moments[c] = static_cast<float>(-weight_[i] * invstd_[i] * sum);
    moments[channels_ + c] =
        static_cast<float>(-0.5 * weight_[i] * invstd_[i] * invstd_[i] * invstd_[i] * product);
    weight[c] = static_cast<float>(product * invstd_[i]);
    bias[c] = static_cast<float>(sum);
  }
  return to;
}

const double* PartSums::total() {
  for (std::int64_t part = 1; part < parts_; ++part) {
    for (std::int64_t i = 0; i < size_; ++i)
      sums_[static_cast<std::size_t>(i)] += this->part(part)[i];
  }
  return sums_.data();
}

MomentSums::MomentSums(const float* first_rows, std::int64_t count, std::int64_t channels,
                       std::int64_t parts)
    : channels_(channels),
      loops_(batch_norm_act_loops(channels, graph::Activation::kNone)),
      origin_(static_cast<std::size_t>(channels)),
      sums_(parts, 2 * channels) {
  for (std::int64_t row = 0; row < count; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      origin_[static_cast<std::size_t>(c)] += first_rows[row * channels + c];
    }
  }
  for (float& value : origin_) value /= static_cast<float>(count);
}

void MomentSums::add(const float* z, std::int64_t rows, std::int64_t part) {
  thread_local std::vector<double> these;
  these.resize(static_cast<std::size_t>(2 * channels_));
  loops_.moments(z, rows, channels_, origin_.data(), these.data());
  double* sums = sums_.part(part);
  for (std::size_t i = 0; i < these.size(); ++i) sums[i] += these[i];
}

at::Tensor MomentSums::moments(std::int64_t rows) {
  const double* sums = sums_.total();
  at::Tensor moments = at::empty({2, channels_}, at::kFloat);
  float* to = moments.data_ptr<float>();
  for (std::int64_t c = 0; c < channels_; ++c) {
    const double offset = sums[c] / static_cast<double>(rows);
    const double square = sums[channels_ + c] / static_cast<double>(rows);
    to[c] = static_cast<float>(static_cast<double>(origin_[static_cast<std::size_t>(c)]) + offset);
    // A NaN must stay one, so no std::max.
    to[channels_ + c] =
        static_cast<float>(square < offset * offset ? 0.0 : square - offset * offset);
  }
  return moments;
}

MomentsGrad::MomentsGrad(const at::Tensor& moments, const at::Tensor& grad_moments,
                         std::int64_t rows) {
  if (!moments.defined() || !grad_moments.defined()) return;
  channels_ = moments.size(1);
  loops_ = batch_norm_act_loops(channels_, graph::Activation::kNone);
  const auto of = moments.accessor<float, 2>();
  const at::Tensor whole = grad_moments.contiguous();
  const auto grad = whole.accessor<float, 2>();
  const auto count = static_cast<float>(rows);
  for (std::int64_t c = 0; c < channels_; ++c) {
    mean_.push_back(of[0][c]);
    offset_.push_back(grad[0][c] / count);
    slope_.push_back(2.0F * grad[1][c] / count);
  }
}

const float* MomentsGrad::read(const float* z, const float* grad, std::int64_t rows,
                               float* buffer) const {
  if (channels_ == 0) return grad;
  loops_.add_moments_grad(z, grad, rows, channels_, mean_.data(), slope_.data(), offset_.data(),
                          buffer);
  return buffer;
}

}  // namespace lathe::nn
