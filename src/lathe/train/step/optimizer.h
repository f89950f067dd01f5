// How gradients change parameters: whole flat arrays at a time, whatever the number of parameters.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lathe/nn/parameters.h"
#include "lathe/nn/threads.h"

namespace lathe::train {

struct OptimizerOptions {
  std::string name = "sgd";    ///< one of optimizer_names()
  double momentum = 0.9;       ///< SGD and RMSProp; beta 1 of Adam and AdamW
  double decay = 0.9;          ///< of the mean square gradient, RMSProp
  double beta2 = 0.999;        ///< Adam and AdamW
  double epsilon = 1e-8;       ///< added to the root of the mean square, all but SGD
  double weight_decay = 2e-4;  ///< not on batch norm, biases and kernel transforms
  double clip_norm = 0;        ///< largest L2 norm of the whole gradient; 0: none
  double clip_value = 0;       ///< largest absolute value of each gradient; 0: none
};

/// {"sgd", "rmsprop", "adam", "adamw"}.
std::vector<std::string> optimizer_names();

/// What a resumed run must agree on.
nlohmann::json to_json(const OptimizerOptions& options);

/// Holds what it remembers from step to step in flat buffers of the parameters' layout, so that
/// checkpoints and channel sorts treat all optimizers alike.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// Uses parameters.grads(), clipped, and then clears it. On the CPU the flat arrays are gone
  /// through once, in pieces that stay in the cache, shared by `workers` where there are any; the
  /// bits don't depend on them.
  void step(double learning_rate, nn::Workers* workers = nullptr);

  /// By name, e.g. "momentum"; the tensors themselves, not copies.
  const std::map<std::string, at::Tensor>& buffers() const { return buffers_; }
  /// Steps since the beginning or the last restart().
  std::int64_t updates() const { return updates_; }
  void set_updates(std::int64_t updates) { updates_ = updates; }
  /// As at the beginning.
  void restart();

 protected:
  Optimizer(nn::Parameters& parameters, OptimizerOptions options,
            const std::vector<std::string>& buffers);

  /// Consecutive elements of the flat arrays, all with weight decay or all without.
  struct Piece {
    at::Tensor values;
    at::Tensor gradient;  ///< may be overwritten
    double weight_decay = 0;
    std::int64_t begin = 0;

    at::Tensor of(const at::Tensor& flat) const { return flat.narrow(0, begin, values.numel()); }
  };
  /// Pieces are updated in any order, and side by side.
  virtual void update(const Piece& piece, double learning_rate) = 0;

  OptimizerOptions options_;
  std::int64_t updates_ = 0;
  std::map<std::string, at::Tensor> buffers_;

 private:
  Piece piece(std::int64_t begin, std::int64_t end) const;

  nn::Parameters& parameters_;
};

/// - "sgd": Nesterov momentum (Sutskever et al., 2013, in the form of torch's optimizer):
///   g += weight_decay * w; m = momentum * m + g; w -= lr * (g + momentum * m).
/// - "rmsprop" (Tieleman and Hinton, 2012, in the form of torch's): g += weight_decay * w;
///   s = decay * s + (1 - decay) * g^2; m = momentum * m + g / (sqrt(s) + epsilon); w -= lr * m.
/// - "adam" (Kingma and Ba, 2015): g += weight_decay * w; then with bias correction
///   m = beta1 * m + (1 - beta1) * g; s = beta2 * s + (1 - beta2) * g^2;
///   w -= lr * m / (sqrt(s) + epsilon).
/// - "adamw" (Loshchilov and Hutter, 2019): w -= lr * weight_decay * w; then Adam with bias
///   correction.
/// `parameters` must outlive the result.
/// @throws std::invalid_argument if the name is unknown, or a number is out of range.
std::unique_ptr<Optimizer> make_optimizer(nn::Parameters& parameters,
                                          const OptimizerOptions& options);

/// Scales `gradient` so that its L2 norm is at most `largest`; gives the norm it had. The norm is
/// summed in double.
double clip_norm(const at::Tensor& gradient, double largest);

}  // namespace lathe::train
