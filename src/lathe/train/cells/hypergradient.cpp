#include "lathe/train/cells/hypergradient.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "lathe/core/random.h"

namespace lathe::train {
namespace {

constexpr double kStepLength = 0.01;  // of finite differences, the published R times |v|

double length_of(const at::Tensor& flat) { return flat.norm(2, at::kDouble).item<double>(); }

/// The values of parameters as they are now, put back at the end.
class Kept {
 public:
  explicit Kept(nn::Parameters& parameters)
      : parameters_(parameters), values_(parameters.values().clone()) {}
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() { set(values_); }
  const at::Tensor& values() const { return values_; }
  void set(const at::Tensor& values) {
    const c10::NoGradGuard no_grad;
    parameters_.values().copy_(values);
  }

 private:
  nn::Parameters& parameters_;
  at::Tensor values_;
};

/// The gradient that `add` leaves, which is then zero again.
at::Tensor taken(nn::Parameters& parameters, const std::function<void()>& add) {
  add();
  at::Tensor gradient = parameters.grads().clone();
  parameters.grads().zero_();
  return gradient;
}

/// (g(at + distance * v) - g(at - distance * v)) / (2 distance), of the gradients of `of`.
at::Tensor difference(Kept& kept, const at::Tensor& v, double distance, nn::Parameters& of,
                      const std::function<void()>& add) {
  kept.set(kept.values().add(v, distance));
  const at::Tensor above = taken(of, add);
  kept.set(kept.values().sub(v, distance));
  const at::Tensor below = taken(of, add);
  return above.sub_(below).div_(2 * distance);
}

}  // namespace

void second_order_gradient(const Bilevel& of, const UnrolledStep& step) {
  const c10::NoGradGuard no_grad;
  const auto with_grad = [](const std::function<void()>& call) {
    return [&call] {
      const c10::AutoGradMode enabled(true);
      call();
    };
  };
  Kept kept(*of.weights);
  at::Tensor direction = taken(*of.weights, with_grad(of.training_by_weights));
  const std::int64_t decayed = of.weights->num_decayed();
  direction.narrow(0, 0, decayed).add_(kept.values().narrow(0, 0, decayed), step.weight_decay);
  if (step.buffer.defined()) {
    direction.add_(step.buffer, step.momentum);
  }
  kept.set(kept.values().sub(direction, step.rate));
  const at::Tensor v = taken(*of.weights, with_grad(of.validation_by_both));
  const at::Tensor direct = of.logits->grads().clone();
  of.logits->grads().zero_();
  const double length = length_of(v);
  if (length > 0) {
    direct.sub_(difference(kept, v, kStepLength / length, *of.logits,
                           with_grad(of.training_by_logits)),
                step.rate);
  }
  of.weights->grads().zero_();
  of.logits->grads().copy_(direct);
}

double dominant_eigenvalue(nn::Parameters& parameters, const std::function<void()>& add_gradient,
                           int iterations, std::uint64_t seed) {
  Rng rng(seed);
  at::Tensor v = at::empty_like(parameters.values());
  for (std::int64_t i = 0; i < v.numel(); ++i) {
    v.data_ptr<float>()[i] = static_cast<float>(rng.normal());
  }
  Kept kept(parameters);
  double eigenvalue = 0;
  for (int i = 0; i < iterations; ++i) {
    v.div_(length_of(v));
    const at::Tensor product = difference(kept, v, kStepLength, parameters, add_gradient);
    eigenvalue = (v * product).sum(at::kDouble).item<double>();
    if (length_of(product) == 0) {
      return 0;
    }
    v = product;
  }
  return eigenvalue;
}

}  // namespace lathe::train
