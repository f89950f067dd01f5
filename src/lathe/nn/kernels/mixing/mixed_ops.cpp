#include "lathe/nn/kernels/mixing/mixed_ops.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/nn/kernels/images.h"
#include "lathe/nn/kernels/mixing/channel_bypass.h"
#include "lathe/nn/kernels/mixing/mixed_ops_pass.h"

namespace lathe::nn {
namespace {

using Tensors = torch::autograd::variable_list;

/// Tensors are the inputs, then each convolution's depthwise and pointwise weights, then weights,
/// then the bypass's.
Tensors tensors_of(const MixedOps& call) {
  Tensors all = call.inputs;
  for (const MixedOp& op : call.ops) {
    for (const SeparableConv& conv : op.convs) {
      all.push_back(conv.depthwise);
      all.push_back(conv.pointwise);
    }
  }
  all.push_back(call.weights);
  if (!call.bypassing.empty()) all.push_back(call.bypass_weights);
  return all;
}

void check_bypass(const MixedOps& call) {
  const auto count = static_cast<std::int64_t>(call.bypassing.size());
  if (call.channel_parts < 2 || call.bypass_weights.dim() != 1 ||
      call.bypass_weights.size(0) != count || !kernels_run(call.bypass_weights)) {
    throw std::invalid_argument("[nn::mixed_ops] bypass_weights must be [" + std::to_string(count) +
                                "], channel_parts 2 or more");
  }
  for (const std::size_t input : call.bypassing) {
    const at::Tensor& x = call.inputs.at(input);
    if (x.dim() != 4 || x.size(1) % call.channel_parts != 0 || !kernels_run(x)) {
      throw std::invalid_argument("[nn::mixed_ops] channel_parts must divide an input's channels");
    }
  }
}

/// A call's passes, and what bypasses them.
class Kept : public torch::CustomClassHolder {
 public:
  explicit Kept(const MixedOps& call) : inputs_(call.inputs.size()), bypassing_(call.bypassing) {
    MixedOps seen = call;
    std::vector<at::Tensor> maps;
    if (!bypassing_.empty()) check_bypass(call);
    for (const std::size_t input : bypassing_) {
      maps.push_back(channels_last(call.inputs[input].detach()));
      seen.inputs[input] = seen_channels(maps.back(), call.channel_parts);
    }
    pass_ = c10::make_intrusive<MixedOpsPass>(std::move(seen));
    if (!maps.empty()) {
      bypass_.emplace(std::move(maps), call.bypass_weights.detach(), call.channel_parts);
    }
  }

  std::size_t inputs() const { return inputs_; }

  MixedOpsResult forward() {
    at::Tensor y = pass_->forward();
    if (bypass_) y = bypass_->forward(y);
    return {std::move(y), pass_->moments()};
  }

  /// In the order of tensors_of().
  Tensors backward(const at::Tensor& grad, const MixedOpsPass::Needs& needs) {
    MixedOpsPass::Gradients to = pass_->backward(bypass_ ? bypass_->grad_made(grad) : grad, needs);
    at::Tensor bypass_weights;
    if (bypass_) {
      Tensors seen;
      for (const std::size_t input : bypassing_) seen.push_back(to.inputs[input]);
      ChannelBypass::Gradients whole = bypass_->backward(grad, seen);
      for (std::size_t i = 0; i < bypassing_.size(); ++i) {
        to.inputs[bypassing_[i]] = std::move(whole.maps[i]);
      }
      bypass_weights = std::move(whole.weights);
    }
    Tensors all = std::move(to.inputs);
    all.insert(all.end(), to.convs.begin(), to.convs.end());
    all.push_back(std::move(to.weights));
    if (bypass_) all.push_back(std::move(bypass_weights));
    return all;
  }

 private:
  std::size_t inputs_;
  std::vector<std::size_t> bypassing_;
  c10::intrusive_ptr<MixedOpsPass> pass_;
  std::optional<ChannelBypass> bypass_;
};

class MixedOpsFunction : public torch::autograd::Function<MixedOpsFunction> {
 public:
  static Tensors forward(torch::autograd::AutogradContext* context, at::TensorList tensors,
                         const c10::intrusive_ptr<Kept>& kept, std::size_t convs) {
    // Saved so that changes in between are noticed.
    context->save_for_backward(tensors.vec());
    context->saved_data["convs"] = static_cast<std::int64_t>(convs);
    context->saved_data["kept"] = c10::IValue::make_capsule(kept);
    MixedOpsResult result = kept->forward();
    context->mark_non_differentiable(result.moments);
    context->set_materialize_grads(false);
    Tensors results{std::move(result.y)};
    results.insert(results.end(), result.moments.begin(), result.moments.end());
    return results;
  }

  static Tensors backward(torch::autograd::AutogradContext* context, Tensors grads) {
    if (at::GradMode::is_enabled()) {
      throw std::logic_error("[nn::mixed_ops] gradients of gradients are not supported");
    }
    const Tensors saved = context->get_saved_variables();
    const auto convs = static_cast<std::size_t>(context->saved_data["convs"].toInt());
    const auto kept =
        c10::static_intrusive_pointer_cast<Kept>(context->saved_data["kept"].toCapsule());
    if (!grads[0].defined()) return Tensors(saved.size() + 2);
    MixedOpsPass::Needs needs;
    for (std::size_t i = 0; i < kept->inputs(); ++i) {
      needs.inputs.push_back(context->needs_input_grad(i));
    }
    for (std::size_t conv = 0; conv < convs; ++conv) {
      const std::size_t i = kept->inputs() + 2 * conv;
      needs.convs.push_back(context->needs_input_grad(i) || context->needs_input_grad(i + 1));
    }
    Tensors all = kept->backward(channels_last(grads[0]), needs);
    all.resize(all.size() + 2);  // of the other arguments
    return all;
  }
};

}  // namespace

MixedOpsResult mixed_ops(const MixedOps& call) {
  const Tensors tensors = tensors_of(call);
  const auto kept = c10::make_intrusive<Kept>(call);
  const bool wanted = at::GradMode::is_enabled() &&
                      std::any_of(tensors.begin(), tensors.end(),
                                  [](const at::Tensor& t) { return t.requires_grad(); });
  if (!wanted) return kept->forward();
  std::size_t convs = 0;
  for (const MixedOp& op : call.ops) convs += op.convs.size();
  Tensors results = MixedOpsFunction::apply(at::TensorList(tensors), kept, convs);
  MixedOpsResult result{results.front(), {}};
  result.moments.assign(results.begin() + 1, results.end());
  return result;
}

}  // namespace lathe::nn
