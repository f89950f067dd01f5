#include "lathe/nn/kernels/norm/batch_norm_act.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/nn/kernels/images.h"
#include "lathe/nn/kernels/norm/batch_norm_act_loops.h"
#include "lathe/nn/kernels/norm/normalised_rows.h"

namespace lathe::nn {
namespace {

/// Statistics are kept apart for at most this many groups of rows, whatever the number of threads,
/// and then added in order.
constexpr std::int64_t kParts = 64;
constexpr std::int64_t kMinPartRows = 128;

void check(const at::Tensor& x, std::initializer_list<const at::Tensor*> vectors, bool training) {
  const std::string where = "[nn::batch_norm_act] ";
  if (x.dim() != 4) {
    throw std::invalid_argument(where + "x must be [N, C, H, W], got " + std::to_string(x.dim()) +
                                " dimensions");
  }
  for (const at::Tensor* vector : vectors) {
    if (vector->dim() != 1 || vector->size(0) != x.size(1)) {
      throw std::invalid_argument(where + "weight, bias and running statistics must be [" +
                                  std::to_string(x.size(1)) + "], got " +
                                  std::to_string(vector->numel()) + " values");
    }
  }
  if (training && x.numel() == x.size(1)) {
    throw std::invalid_argument(where + "training needs more than one value a channel");
  }
}

bool runs_here(const at::Tensor& x, std::initializer_list<const at::Tensor*> vectors) {
  const auto plain = [](const at::Tensor& t) {
    return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.layout() == at::kStrided;
  };
  return plain(x) && x.numel() > 0 &&
         std::all_of(vectors.begin(), vectors.end(), [&](const at::Tensor* vector) {
           return plain(*vector) && vector->is_contiguous();
         });
}

/// A channels-last image as [rows, channels].
struct Rows {
  explicit Rows(const at::Tensor& x)
      : count(x.size(0) * x.size(2) * x.size(3)), channels(x.size(1)) {}
  std::int64_t count;
  std::int64_t channels;
};

/// Calls `body(begin, end)` for ranges of rows, in parallel.
template <typename Body>
void for_each_rows(const Rows& rows, const Body& body) {
  const std::int64_t grain = std::max<std::int64_t>(1, at::internal::GRAIN_SIZE / rows.channels);
  at::parallel_for(0, rows.count, grain, body);
}

/// The sums [2, C] that `body(begin, end, sums)` gives for ranges of rows, added up.
template <typename Body>
std::vector<double> sum_rows(const Rows& rows, const Body& body) {
  const std::int64_t parts = std::clamp<std::int64_t>(rows.count / kMinPartRows, 1, kParts);
  const std::int64_t size = 2 * rows.channels;
  std::vector<double> sums(static_cast<std::size_t>(parts * size));
  at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      body(part * rows.count / parts, (part + 1) * rows.count / parts, sums.data() + part * size);
    }
  });
  for (std::int64_t part = 1; part < parts; ++part) {
    for (std::int64_t i = 0; i < size; ++i) {
      sums[static_cast<std::size_t>(i)] += sums[static_cast<std::size_t>(part * size + i)];
    }
  }
  sums.resize(static_cast<std::size_t>(size));
  return sums;
}

/// What both directions need of one call, [C] each; kept for the backward pass as one tensor.
struct Coefficients {
  explicit Coefficients(at::Tensor storage) : all(std::move(storage)) {
    float* data = all.data_ptr<float>();
    const std::int64_t channels = all.size(1);
    mean = data;
    invstd = data + channels;
    scale = data + 2 * channels;
    bias = data + 3 * channels;
  }
  at::Tensor all;  ///< [4, C]
  float* mean;
  float* invstd;
  float* scale;  ///< weight * invstd
  float* bias;
};

/// A value near the mean of each channel: that of the first rows. Sums about 0 would cancel for a
/// channel whose mean is far from it, and so would sums about a single, possibly outlying, row.
std::vector<float> origin_of(const float* x, const Rows& rows) {
  const std::int64_t count = std::min<std::int64_t>(rows.count, 16);
  std::vector<float> origin(x, x + rows.channels);
  for (std::int64_t row = 1; row < count; ++row) {
    for (std::int64_t c = 0; c < rows.channels; ++c) {
      origin[static_cast<std::size_t>(c)] += x[row * rows.channels + c];
    }
  }
  for (float& value : origin) value /= static_cast<float>(count);
  return origin;
}

/// Fills mean and invstd from the batch, and updates the running statistics.
void use_batch_statistics(const at::Tensor& x, const at::Tensor& running_mean,
                          const at::Tensor& running_var, const BatchNormActOptions& options,
                          const BatchNormActLoops& loops, Coefficients& to) {
  const Rows rows(x);
  const float* data = x.data_ptr<float>();
  const std::vector<float> origin = origin_of(data, rows);
  const std::vector<double> sums = sum_rows(rows, [&](std::int64_t begin, std::int64_t end,
                                                      double* part) {
    loops.moments(data + begin * rows.channels, end - begin, rows.channels, origin.data(), part);
  });
  float* means = running_mean.data_ptr<float>();
  float* variances = running_var.data_ptr<float>();
  const double count = static_cast<double>(rows.count);
  for (std::int64_t c = 0; c < rows.channels; ++c) {
    const double offset = sums[static_cast<std::size_t>(c)] / count;
    const double square = sums[static_cast<std::size_t>(rows.channels + c)] / count;
    const double mean = static_cast<double>(origin[static_cast<std::size_t>(c)]) + offset;
    // A NaN must stay one, so no std::max.
    const double variance = square < offset * offset ? 0.0 : square - offset * offset;
    to.mean[c] = static_cast<float>(mean);
    to.invstd[c] = static_cast<float>(1.0 / std::sqrt(variance + options.eps));
    const double keep = 1.0 - options.momentum;
    means[c] = static_cast<float>(keep * static_cast<double>(means[c]) + options.momentum * mean);
    variances[c] = static_cast<float>(keep * static_cast<double>(variances[c]) +
                                      options.momentum * variance * count / (count - 1.0));
  }
}

/// x must be channels-last.
std::pair<at::Tensor, Coefficients> forward(const at::Tensor& x, const at::Tensor& weight,
                                            const at::Tensor& bias, const at::Tensor& running_mean,
                                            const at::Tensor& running_var,
                                            const BatchNormActOptions& options) {
  const Rows rows(x);
  const BatchNormActLoops loops = batch_norm_act_loops(rows.channels, options.activation);
  Coefficients to(at::empty({4, rows.channels}, x.options()));
  if (options.training) {
    use_batch_statistics(x, running_mean, running_var, options, loops, to);
  } else {
    for (std::int64_t c = 0; c < rows.channels; ++c) {
      to.mean[c] = running_mean.data_ptr<float>()[c];
      to.invstd[c] = static_cast<float>(
          1.0 / std::sqrt(static_cast<double>(running_var.data_ptr<float>()[c]) + options.eps));
    }
  }
  for (std::int64_t c = 0; c < rows.channels; ++c) {
    to.scale[c] = weight.data_ptr<float>()[c] * to.invstd[c];
    to.bias[c] = bias.data_ptr<float>()[c];
  }
  at::Tensor y = at::empty(x.sizes(), x.options().memory_format(at::MemoryFormat::ChannelsLast));
  const float* from = x.data_ptr<float>();
  float* result = y.data_ptr<float>();
  for_each_rows(rows, [&](std::int64_t begin, std::int64_t end) {
    loops.forward(from + begin * rows.channels, end - begin, rows.channels, to.mean, to.scale,
                  to.bias, result + begin * rows.channels);
  });
  return {std::move(y), std::move(to)};
}

struct Gradients {
  at::Tensor x;
  at::Tensor weight;
  at::Tensor bias;
};

/// x and grad_y must be channels-last.
Gradients backward(const at::Tensor& x, const at::Tensor& grad_y, const Coefficients& of,
                   bool training, graph::Activation activation, bool needs_grad_x) {
  const Rows rows(x);
  const BatchNormActLoops loops = batch_norm_act_loops(rows.channels, activation);
  const float* from = x.data_ptr<float>();
  const float* grad = grad_y.data_ptr<float>();
  const std::vector<double> sums =
      sum_rows(rows, [&](std::int64_t begin, std::int64_t end, double* part) {
        loops.grad_sums(from + begin * rows.channels, grad + begin * rows.channels, end - begin,
                        rows.channels, of.mean, of.scale, of.bias, part);
      });
  Gradients to{
      {}, at::empty({rows.channels}, x.options()), at::empty({rows.channels}, x.options())};
  std::vector<float> slope(static_cast<std::size_t>(rows.channels), 0.0F);
  std::vector<float> offset(static_cast<std::size_t>(rows.channels), 0.0F);
  const double count = static_cast<double>(rows.count);
  for (std::int64_t c = 0; c < rows.channels; ++c) {
    const auto i = static_cast<std::size_t>(c);
    const double sum = sums[i];
    const double invstd = static_cast<double>(of.invstd[c]);
    const double product = sums[static_cast<std::size_t>(rows.channels) + i] * invstd;
    to.weight.data_ptr<float>()[c] = static_cast<float>(product);
    to.bias.data_ptr<float>()[c] = static_cast<float>(sum);
    if (training) {
      slope[i] = static_cast<float>(-static_cast<double>(of.scale[c]) * invstd * product / count);
      offset[i] = static_cast<float>(-static_cast<double>(of.scale[c]) * sum / count);
    }
  }
  if (!needs_grad_x) return to;
  to.x = at::empty(x.sizes(), x.options().memory_format(at::MemoryFormat::ChannelsLast));
  float* result = to.x.data_ptr<float>();
  for_each_rows(rows, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * rows.channels;
    loops.grad_input(from + first, grad + first, end - begin, rows.channels, of.mean, of.scale,
                     of.bias, slope.data(), offset.data(), result + first);
  });
  return to;
}

class BatchNormAct : public torch::autograd::Function<BatchNormAct> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const at::Tensor& bias,
                            const at::Tensor& running_mean, const at::Tensor& running_var,
                            const BatchNormActOptions& options) {
    const at::Tensor input = channels_last(x);
    auto [y, coefficients] = nn::forward(input, weight, bias, running_mean, running_var, options);
    context->save_for_backward({input, coefficients.all});
    context->saved_data["training"] = options.training;
    context->saved_data["activation"] = static_cast<std::int64_t>(options.activation);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    if (at::GradMode::is_enabled()) {
      throw std::logic_error("[nn::batch_norm_act] gradients of gradients are not supported");
    }
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const auto activation =
        static_cast<graph::Activation>(context->saved_data["activation"].toInt());
    Gradients to = nn::backward(saved[0], channels_last(grads[0]), Coefficients(saved[1]),
                                context->saved_data["training"].toBool(), activation,
                                context->needs_input_grad(0));
    return {to.x, to.weight, to.bias, {}, {}, {}};
  }
};

}  // namespace

at::Tensor batch_norm_act(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                          const at::Tensor& running_mean, const at::Tensor& running_var,
                          const BatchNormActOptions& options) {
  const auto vectors = {&weight, &bias, &running_mean, &running_var};
  check(x, vectors, options.training);
  if (!runs_here(x, vectors)) {
    return activate(at::batch_norm(x, weight, bias, running_mean, running_var, options.training,
                                   options.momentum, options.eps, true),
                    options.activation);
  }
  if (at::GradMode::is_enabled() &&
      (x.requires_grad() || weight.requires_grad() || bias.requires_grad())) {
    return BatchNormAct::apply(x, weight, bias, running_mean, running_var, options);
  }
  return forward(channels_last(x), weight, bias, running_mean, running_var, options).first;
}

at::Tensor activate(const at::Tensor& x, graph::Activation activation) {
  switch (activation) {
    case graph::Activation::kRelu:
      return at::relu(x);
    case graph::Activation::kRelu6:
      return at::hardtanh(x, 0.0, 6.0);
    case graph::Activation::kHSwish:
      return at::hardswish(x);
    case graph::Activation::kHSigmoid:
      return at::hardsigmoid(x);
    case graph::Activation::kNone:
      break;
  }
  return x;
}

}  // namespace lathe::nn
