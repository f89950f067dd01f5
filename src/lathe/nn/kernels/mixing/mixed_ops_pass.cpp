#include "lathe/nn/kernels/mixing/mixed_ops_pass.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/nn/kernels/images.h"
#include "lathe/nn/kernels/pool_loops.h"

namespace lathe::nn {
namespace {

using Kind = MixedOp::Kind;

/// What scratch() is used for.
enum Slot : int { kInput, kBetween, kGradZ, kGradBetween, kGradInput, kPool };

std::int64_t out_size(std::int64_t size, std::int64_t stride) {
  return (size + stride - 1) / stride;
}

DepthwiseShape shape_of(const at::Tensor& x, const SeparableConv& conv) {
  return {.channels = x.size(1),
          .height = x.size(2),
          .width = x.size(3),
          .out_height = out_size(x.size(2), conv.steps.stride),
          .out_width = out_size(x.size(3), conv.steps.stride),
          .kernel = static_cast<int>(conv.depthwise.size(2)),
          .stride = static_cast<int>(conv.steps.stride),
          .dilation = static_cast<int>(conv.steps.dilation)};
}

PoolShape pool_shape(const at::Tensor& x, const at::Tensor& z, const MixedOp& op) {
  return {.channels = x.size(1),
          .height = x.size(2),
          .width = x.size(3),
          .out_height = z.size(2),
          .out_width = z.size(3),
          .stride = static_cast<int>(op.stride)};
}

[[noreturn]] void reject(const std::string& what) {
  throw std::invalid_argument("[nn::mixed_ops] " + what);
}

void check_conv(const SeparableConv& conv, std::int64_t channels) {
  const at::Tensor& d = conv.depthwise;
  const at::Tensor& p = conv.pointwise;
  const std::string c = std::to_string(channels);
  if (d.dim() != 4 || d.size(0) != channels || d.size(1) != 1 || d.size(2) != d.size(3) ||
      d.size(2) < 3 || d.size(2) > 7 || d.size(2) % 2 == 0 || !kernels_run(d)) {
    reject("depthwise weights must be [" + c + ", 1, k, k] with k 3, 5 or 7");
  }
  if (p.dim() != 4 || p.size(0) != channels || p.size(1) != channels || p.size(2) != 1 ||
      p.size(3) != 1 || !kernels_run(p)) {
    reject("pointwise weights must be [" + c + ", " + c + ", 1, 1]");
  }
}

bool step(std::int64_t value) { return value == 1 || value == 2; }

/// The stride of an op from its input on.
std::int64_t check_op(const MixedOp& op, std::int64_t channels) {
  if (op.kind != Kind::kSeparable) {
    if (!step(op.stride)) reject("strides must be 1 or 2");
    return op.kind == Kind::kIdentity ? 1 : op.stride;
  }
  if (op.convs.empty() || op.convs.size() > 2) reject("needs one or two convolutions in an op");
  for (const SeparableConv& conv : op.convs) {
    check_conv(conv, channels);
    if (!step(conv.steps.stride) || !step(conv.steps.dilation) ||
        (&conv != &op.convs.front() && conv.steps.stride != 1)) {
      reject("strides and dilations must be 1 or 2, a second convolution's stride 1");
    }
  }
  return op.convs.front().steps.stride;
}

/// Calls make(image) for all images, which fills an image of each of `z`; gives their moments.
template <typename Make>
std::vector<at::Tensor> with_moments(const std::vector<at::Tensor>& z, std::int64_t images,
                                     const Make& make) {
  make(0);
  const std::int64_t parts = image_parts(images);
  std::vector<MomentSums> sums;
  for (const at::Tensor& map : z) {
    sums.emplace_back(map.data_ptr<float>(), std::min(pixels_of(map), MomentSums::kOriginRows),
                      map.size(1), parts);
  }
  const auto add = [&](std::int64_t image, std::int64_t part) {
    for (std::size_t k = 0; k < z.size(); ++k) {
      sums[k].add(image_of(z[k], image), pixels_of(z[k]), part);
    }
  };
  add(0, 0);
  for_each_image(images, parts, [&](std::int64_t image, std::int64_t part) {
    if (image == 0) return;
    make(image);
    add(image, part);
  });
  std::vector<at::Tensor> moments;
  for (std::size_t k = 0; k < z.size(); ++k) {
    moments.push_back(sums[k].moments(images * pixels_of(z[k])));
  }
  return moments;
}

}  // namespace

MixedOpsPass::MixedOpsPass(MixedOps call) : call_(std::move(call)), states_(call_.ops.size()) {
  if (call_.ops.empty()) reject("needs at least one op");
  const auto count = static_cast<std::int64_t>(call_.ops.size());
  if (call_.weights.dim() != 1 || call_.weights.size(0) != count || !kernels_run(call_.weights)) {
    reject("weights must be [" + std::to_string(count) + "]");
  }
  call_.weights = call_.weights.detach();
  for (at::Tensor& x : call_.inputs) {
    if (x.dim() != 4 || !kernels_run(x) || x.size(0) != call_.inputs.front().size(0) ||
        x.size(1) != call_.inputs.front().size(1)) {
      reject("inputs must be maps [N, C, H, W] of the same N and C, float32 on the CPU");
    }
    x = channels_last(x.detach());
  }
  for (std::size_t i = 0; i < call_.ops.size(); ++i) {
    MixedOp& op = call_.ops[i];
    if (op.input >= call_.inputs.size()) reject("an op's input isn't there");
    const at::Tensor& x = call_.inputs[op.input];
    const std::int64_t stride = check_op(op, x.size(1));
    const std::int64_t height = out_size(x.size(2), stride);
    const std::int64_t width = out_size(x.size(3), stride);
    if (i == 0) {
      images_ = x.size(0);
      channels_ = x.size(1);
      out_height_ = height;
      out_width_ = width;
    }
    if (height != out_height_ || width != out_width_) reject("results must be of one size");
    for (SeparableConv& conv : op.convs) {
      conv.depthwise = conv.depthwise.detach();
      conv.pointwise = conv.pointwise.detach();
    }
  }
  if (images_ * out_height_ * out_width_ < 2) reject("needs more than one value a channel");
}

MixedOpsPass::Indices MixedOpsPass::ops_of(std::size_t input) const {
  Indices ops;
  for (std::size_t i = 0; i < call_.ops.size(); ++i) {
    if (call_.ops[i].input == input && call_.ops[i].kind != Kind::kIdentity) ops.push_back(i);
  }
  return ops;
}

/// The pools and the first convolutions of an input.
void MixedOpsPass::make_first(std::size_t input) {
  const at::Tensor& x = call_.inputs[input];
  const Indices ops = ops_of(input);
  if (ops.empty()) return;
  std::vector<at::Tensor> results;
  bool rectified = false;
  for (const std::size_t i : ops) {
    const MixedOp& op = call_.ops[i];
    states_[i].z.push_back(empty_image(x, channels_, out_height_, out_width_));
    results.push_back(states_[i].z.back());
    if (op.kind != Kind::kSeparable) continue;
    rectified = true;
    const SeparableConv& conv = op.convs.front();
    states_[i].convs.emplace_back(conv.depthwise, conv.pointwise, shape_of(x, conv));
  }
  const MixedSumLoops loops = mixed_sum_loops();
  const PoolLoops pools = pool_loops(channels_);
  const std::vector<at::Tensor> moments = with_moments(results, images_, [&](std::int64_t image) {
    const float* from = image_of(x, image);
    float* input_rectified = rectified ? scratch(kInput, image_size(x)) : nullptr;
    if (rectified) loops.rectify(from, image_size(x), input_rectified);
    for (const std::size_t i : ops) {
      const at::Tensor& z = states_[i].z.front();
      float* to = image_of(z, image);
      if (call_.ops[i].kind == Kind::kSeparable) {
        states_[i].convs.front().forward(input_rectified, scratch(kBetween, image_size(z)), to);
        continue;
      }
      const PoolShape shape = pool_shape(x, z, call_.ops[i]);
      (call_.ops[i].kind == Kind::kMaxPool ? pools.max : pools.average)(
          shape, from, scratch(kPool, shape.scratch()), to);
    }
  });
  for (std::size_t k = 0; k < ops.size(); ++k) states_[ops[k]].moments.push_back(moments[k]);
}

/// Batch norm and ReLU between two convolutions.
NormalisedRows MixedOpsPass::between(std::size_t op) const {
  const State& state = states_[op];
  return NormalisedRows({state.z.front(), state.moments.front(), at::ones({channels_}),
                         at::zeros({channels_}), call_.ops[op].convs.front().eps,
                         graph::Activation::kRelu});
}

void MixedOpsPass::make_second(std::size_t op) {
  if (call_.ops[op].convs.size() < 2) return;
  State& state = states_[op];
  const at::Tensor& x = state.z.front();
  const SeparableConv& conv = call_.ops[op].convs[1];
  state.convs.emplace_back(conv.depthwise, conv.pointwise, shape_of(x, conv));
  const at::Tensor z = empty_image(x, channels_, out_height_, out_width_);
  const NormalisedRows norm = between(op);
  state.moments.push_back(with_moments({z}, images_, [&](std::int64_t image) {
                            float* input = scratch(kInput, image_size(x));
                            norm.read(image_of(x, image), pixels_of(x), input);
                            state.convs[1].forward(input, scratch(kBetween, image_size(z)),
                                                   image_of(z, image));
                          }).front());
  state.z.push_back(z);
}

std::vector<MixedInput> MixedOpsPass::terms() const {
  std::vector<MixedInput> terms;
  for (std::size_t i = 0; i < call_.ops.size(); ++i) {
    const MixedOp& op = call_.ops[i];
    if (op.kind == Kind::kIdentity) {
      terms.push_back({call_.inputs[op.input], {}, op.eps});
    } else {
      terms.push_back({states_[i].z.back(), states_[i].moments.back(),
                       op.convs.empty() ? op.eps : op.convs.back().eps});
    }
  }
  return terms;
}

at::Tensor MixedOpsPass::forward() {
  for (std::size_t input = 0; input < call_.inputs.size(); ++input) make_first(input);
  for (std::size_t op = 0; op < call_.ops.size(); ++op) make_second(op);
  const std::vector<MixedInput> terms = this->terms();
  return MixedSumRows(terms, call_.weights).forward(terms);
}

std::vector<at::Tensor> MixedOpsPass::moments() const {
  std::vector<at::Tensor> all;
  for (const State& state : states_) {
    all.insert(all.end(), state.moments.begin(), state.moments.end());
  }
  return all;
}

void MixedOpsPass::prepare_backward(const Needs& needs) {
  const std::int64_t parts = image_parts(images_);
  std::size_t conv = 0;
  for (std::size_t i = 0; i < call_.ops.size(); ++i) {
    bool needed = needs.inputs[call_.ops[i].input];
    for (SeparableImages& images : states_[i].convs) {
      images.begin_backward(parts, needed, needs.convs[conv]);
      needed = needed || needs.convs[conv++];
    }
  }
}

/// From the sums over rows: how batch statistics pass gradients on; gives the weights' gradient.
at::Tensor MixedOpsPass::use_sums(const MixedSumRows& rows, const std::vector<double>& sums) {
  const auto channels = static_cast<std::size_t>(channels_);
  const auto period = static_cast<std::size_t>(rows.period());
  const double count = static_cast<double>(images_ * out_height_ * out_width_);
  const double* grad_sum = sums.data() + states_.size() * channels;
  at::Tensor grad = at::empty({static_cast<std::int64_t>(states_.size())}, at::kFloat);
  for (std::size_t i = 0; i < states_.size(); ++i) {
    State& state = states_[i];
    const double* sum = sums.data() + i * channels;
    state.slope.assign(period, 0);
    state.offset.assign(period, 0);
    double of_weight = 0;
    for (std::size_t k = 0; k < period; ++k) {
      const double invstd = static_cast<double>(rows.invstd(i)[k]);
      const double scale = static_cast<double>(rows.scale(i)[k]);
      const std::size_t c = k % channels;
      if (k < channels) of_weight += invstd * sum[c];
      if (call_.ops[i].kind == Kind::kIdentity) continue;
      state.slope[k] = static_cast<float>(-scale * invstd * invstd * sum[c] / count);
      state.offset[k] = static_cast<float>(-scale * grad_sum[c] / count);
    }
    grad.data_ptr<float>()[i] = static_cast<float>(of_weight);
  }
  return grad;
}

void MixedOpsPass::join(std::size_t op, std::int64_t image, const MixedSumRows& rows,
                        const at::Tensor& grad, float* to) const {
  const State& state = states_[op];
  rows.loops().join(image_of(state.z.back(), image), image_of(grad, image), image_size(grad),
                    rows.period(), rows.mean(op), rows.scale(op), state.slope.data(),
                    state.offset.data(), to);
}

void MixedOpsPass::second_backward(std::size_t op, const MixedSumRows& rows,
                                   const at::Tensor& grad) {
  State& state = states_[op];
  if (state.convs.size() < 2) return;
  SeparableImages& conv = state.convs[1];
  if (!conv.x_needed() && !conv.weights_needed()) return;
  const at::Tensor& x = state.z.front();
  const NormalisedRows norm = between(op);
  const std::int64_t parts = image_parts(images_);
  PartSums sums(parts, 2 * channels_);
  state.grad_first = at::empty_like(x);
  for_each_image(images_, parts, [&](std::int64_t image, std::int64_t part) {
    const std::int64_t size = image_size(x);
    float* grad_z = scratch(kGradZ, size);
    join(op, image, rows, grad, grad_z);
    float* input = nullptr;
    if (conv.weights_needed()) {
      input = scratch(kInput, size);
      norm.read(image_of(x, image), pixels_of(x), input);
    }
    float* grad_x = image_of(state.grad_first, image);
    conv.backward({.part = part,
                   .x = input,
                   .grad_z = grad_z,
                   .d = scratch(kBetween, size + kRoom),
                   .grad_d = scratch(kGradBetween, size),
                   .grad_x = grad_x});
    if (conv.x_needed()) {
      norm.chain(image_of(x, image), grad_x, pixels_of(x), grad_x, sums.part(part));
    }
  });
  state.join = MomentsGrad(state.moments.front(), norm.vector_grads(sums.total()).moments,
                           images_ * pixels_of(x));
}

at::Tensor MixedOpsPass::first_backward(std::size_t input, bool x_needed, const MixedSumRows& rows,
                                        const at::Tensor& grad) {
  const at::Tensor& x = call_.inputs[input];
  const Indices ops = ops_of(input);
  bool weights_needed = false;
  for (const std::size_t i : ops) {
    weights_needed =
        weights_needed || (!states_[i].convs.empty() && states_[i].convs.front().weights_needed());
  }
  at::Tensor grad_x;
  if (x_needed) grad_x = empty_image(x, channels_, x.size(2), x.size(3));
  if (!x_needed && !weights_needed) return grad_x;
  for_each_image(images_, image_parts(images_), [&](std::int64_t image, std::int64_t part) {
    float* to = x_needed ? image_of(grad_x, image) : nullptr;
    if (x_needed) begin_input_grad(input, image, rows, grad, to);
    float* rectified = nullptr;
    if (weights_needed) {
      rectified = scratch(kInput, image_size(x));
      rows.loops().rectify(image_of(x, image), image_size(x), rectified);
    }
    bool add = false;
    for (const std::size_t i : ops) {
      if (states_[i].convs.empty()) {
        if (x_needed) pool_backward(i, image, rows, grad, to);
        continue;
      }
      const SeparableImages& conv = states_[i].convs.front();
      if (!conv.x_needed() && !conv.weights_needed()) continue;
      conv_backward(i, {.part = part, .x = rectified, .add = add}, image, rows, grad);
      add = true;
    }
    if (x_needed && add) {
      rows.loops().add_rectified(image_of(x, image), scratch(kGradInput, image_size(x)),
                                 image_size(x), to);
    }
  });
  return grad_x;
}

/// What an input's gradient is before anything is added: that of the identities.
void MixedOpsPass::begin_input_grad(std::size_t input, std::int64_t image, const MixedSumRows& rows,
                                    const at::Tensor& grad, float* to) const {
  bool first = true;
  for (std::size_t i = 0; i < call_.ops.size(); ++i) {
    if (call_.ops[i].input != input || call_.ops[i].kind != Kind::kIdentity) continue;
    rows.loops().add(image_of(grad, image), image_size(grad), rows.period(), rows.mean(i),
                     rows.scale(i), first, to);
    first = false;
  }
  if (!first) return;
  const std::int64_t size = image_size(call_.inputs[input]);
  std::memset(to, 0, static_cast<std::size_t>(size) * sizeof(float));
}

void MixedOpsPass::pool_backward(std::size_t op, std::int64_t image, const MixedSumRows& rows,
                                 const at::Tensor& grad, float* to) const {
  const at::Tensor& x = call_.inputs[call_.ops[op].input];
  const at::Tensor& z = states_[op].z.front();
  const PoolShape shape = pool_shape(x, z, call_.ops[op]);
  const PoolLoops pools = pool_loops(channels_);
  float* grad_z = scratch(kGradZ, image_size(z));
  join(op, image, rows, grad, grad_z);
  float* buffer = scratch(kPool, shape.scratch());
  if (call_.ops[op].kind == Kind::kMaxPool) {
    pools.max_backward(shape, image_of(x, image), image_of(z, image), grad_z, buffer, to);
  } else {
    pools.average_backward(shape, grad_z, buffer, to);
  }
}

/// Of an op's first convolution; the gradient of the rectified input goes to kGradInput.
void MixedOpsPass::conv_backward(std::size_t op, SeparableImages::Image with, std::int64_t image,
                                 const MixedSumRows& rows, const at::Tensor& grad) {
  State& state = states_[op];
  const at::Tensor& z = state.z.front();
  float* grad_z = scratch(kGradZ, image_size(z));
  if (state.convs.size() < 2) {
    join(op, image, rows, grad, grad_z);
    with.grad_z = grad_z;
  } else {
    with.grad_z = state.join.read(image_of(z, image), image_of(state.grad_first, image),
                                  pixels_of(z), grad_z);
  }
  with.d = scratch(kBetween, image_size(z) + kRoom);
  with.grad_d = scratch(kGradBetween, image_size(z));
  with.grad_x = scratch(kGradInput, image_size(call_.inputs[call_.ops[op].input]));
  state.convs.front().backward(with);
}

MixedOpsPass::Gradients MixedOpsPass::backward(const at::Tensor& grad, const Needs& needs) {
  if (states_.empty()) throw std::logic_error("[nn::mixed_ops] backward runs once");
  prepare_backward(needs);
  const std::vector<MixedInput> terms = this->terms();
  const MixedSumRows rows(terms, call_.weights);
  std::vector<at::Tensor> none(terms.size());
  Gradients to;
  to.weights = use_sums(rows, rows.backward(terms, grad, none));
  for (std::size_t op = 0; op < call_.ops.size(); ++op) second_backward(op, rows, grad);
  for (std::size_t input = 0; input < call_.inputs.size(); ++input) {
    to.inputs.push_back(first_backward(input, needs.inputs[input], rows, grad));
  }
  for (State& state : states_) {
    for (SeparableImages& conv : state.convs) {
      const bool needed = conv.weights_needed();
      to.convs.push_back(needed ? conv.depthwise_grad() : at::Tensor());
      to.convs.push_back(needed ? conv.pointwise_grad() : at::Tensor());
    }
  }
  states_.clear();
  return to;
}

}  // namespace lathe::nn
