#include "lathe/train/step/optimizer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <utility>

namespace lathe::train {
namespace {

constexpr const char* kMomentum = "momentum";
constexpr const char* kMeanSquare = "mean_square";

/// Elements of a piece: those of its few arrays stay in the second-level cache of one core.
constexpr std::int64_t kPieceSize = 32 * 1024;

class Sgd final : public Optimizer {
 public:
  Sgd(nn::Parameters& parameters, const OptimizerOptions& options)
      : Optimizer(parameters, options, {kMomentum}) {}

 private:
  void update(const Piece& piece, double learning_rate) override {
    at::Tensor gradient = piece.gradient;
    const at::Tensor momentum = piece.of(buffers_.at(kMomentum));
    if (piece.weight_decay > 0) gradient.add_(piece.values, piece.weight_decay);
    momentum.mul_(options_.momentum).add_(gradient);
    gradient.add_(momentum, options_.momentum);
    piece.values.add_(gradient, -learning_rate);
  }
};

class RmsProp final : public Optimizer {
 public:
  RmsProp(nn::Parameters& parameters, const OptimizerOptions& options)
      : Optimizer(parameters, options, {kMomentum, kMeanSquare}) {}

 private:
  void update(const Piece& piece, double learning_rate) override {
    const at::Tensor& gradient = piece.gradient;
    const at::Tensor square = piece.of(buffers_.at(kMeanSquare));
    const at::Tensor momentum = piece.of(buffers_.at(kMomentum));
    if (piece.weight_decay > 0) gradient.add_(piece.values, piece.weight_decay);
    square.mul_(options_.decay).addcmul_(gradient, gradient, 1 - options_.decay);
    momentum.mul_(options_.momentum).addcdiv_(gradient, square.sqrt().add_(options_.epsilon));
    piece.values.add_(momentum, -learning_rate);
  }
};

/// Decay is part of the gradient, or apart from it (AdamW).
class Adam final : public Optimizer {
 public:
  Adam(nn::Parameters& parameters, const OptimizerOptions& options)
      : Optimizer(parameters, options, {kMomentum, kMeanSquare}) {}

 private:
  void update(const Piece& piece, double learning_rate) override {
    const at::Tensor& gradient = piece.gradient;
    const at::Tensor square = piece.of(buffers_.at(kMeanSquare));
    const at::Tensor momentum = piece.of(buffers_.at(kMomentum));
    if (options_.name == "adam") {
      if (piece.weight_decay > 0) gradient.add_(piece.values, piece.weight_decay);
    } else {
      piece.values.mul_(1 - learning_rate * piece.weight_decay);
    }
    momentum.mul_(options_.momentum).add_(gradient, 1 - options_.momentum);
    square.mul_(options_.beta2).addcmul_(gradient, gradient, 1 - options_.beta2);
    const auto step = static_cast<double>(updates_ + 1);
    const double first = 1 - std::pow(options_.momentum, step);
    const double second = 1 - std::pow(options_.beta2, step);
    const at::Tensor root = square.sqrt().div_(std::sqrt(second)).add_(options_.epsilon);
    piece.values.addcdiv_(momentum, root, -learning_rate / first);
  }
};

void require(bool holds, const std::string& what) {
  if (!holds) {
    throw std::invalid_argument("[train::make_optimizer] " + what);
  }
}

void check(const OptimizerOptions& o) {
  const auto share = [](const char* name, double value) {
    require(value >= 0 && value < 1,
            std::string(name) + " must be in [0, 1), got " + std::to_string(value));
  };
  share("momentum", o.momentum);
  share("decay", o.decay);
  share("beta2", o.beta2);
  const auto amount = [](const char* name, double value) {
    require(value >= 0 && std::isfinite(value),
            std::string(name) + " must be >= 0, got " + std::to_string(value));
  };
  amount("weight_decay", o.weight_decay);
  amount("clip_norm", o.clip_norm);
  amount("clip_value", o.clip_value);
  require(o.epsilon > 0, "epsilon must be > 0, got " + std::to_string(o.epsilon));
}

}  // namespace

Optimizer::Optimizer(nn::Parameters& parameters, OptimizerOptions options,
                     const std::vector<std::string>& buffers)
    : options_(std::move(options)), parameters_(parameters) {
  for (const std::string& name : buffers) {
    buffers_[name] = at::zeros_like(parameters.values());
  }
}

Optimizer::Piece Optimizer::piece(std::int64_t begin, std::int64_t end) const {
  return {parameters_.values().narrow(0, begin, end - begin),
          parameters_.grads().narrow(0, begin, end - begin),
          begin < parameters_.num_decayed() ? options_.weight_decay : 0.0, begin};
}

void Optimizer::step(double learning_rate, nn::Workers* workers) {
  const c10::NoGradGuard no_grad;
  if (options_.clip_value > 0) {
    parameters_.grads().clamp_(-options_.clip_value, options_.clip_value);
  }
  if (options_.clip_norm > 0) {
    clip_norm(parameters_.grads(), options_.clip_norm);
  }
  const bool on_cpu = parameters_.values().device().is_cpu();
  std::vector<Piece> pieces;
  const auto cut = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t next; begin < end; begin = next) {
      next = on_cpu ? std::min(end, begin + kPieceSize) : end;
      pieces.push_back(piece(begin, next));
    }
  };
  cut(0, parameters_.num_decayed());
  cut(parameters_.num_decayed(), parameters_.size());
  const auto update_pieces = [&](std::int64_t begin, std::int64_t end) {
    const c10::NoGradGuard no_grad_here;  // on this thread
    for (std::int64_t i = begin; i < end; ++i) {
      const Piece& piece = pieces[static_cast<std::size_t>(i)];
      update(piece, learning_rate);
      piece.gradient.zero_();
    }
  };
  const auto count = static_cast<std::int64_t>(pieces.size());
  if (!on_cpu || workers == nullptr) {
    update_pieces(0, count);
  } else {
    workers->run([&](int worker) {
      const std::int64_t first = count * worker / workers->count();
      const std::int64_t last = count * (worker + 1) / workers->count();
      at::parallel_for(first, last, 1, update_pieces);
    });
  }
  ++updates_;
}

void Optimizer::restart() {
  updates_ = 0;
  for (auto& [name, buffer] : buffers_) {
    buffer.zero_();
  }
}

double clip_norm(const at::Tensor& gradient, double largest) {
  const double norm = gradient.norm(2, at::kDouble).item<double>();
  if (norm > largest) {
    gradient.mul_(largest / norm);
  }
  return norm;
}

std::vector<std::string> optimizer_names() { return {"sgd", "rmsprop", "adam", "adamw"}; }

nlohmann::json to_json(const OptimizerOptions& o) {
  nlohmann::json json{{"name", o.name},
                      {"momentum", o.momentum},
                      {"weight_decay", o.weight_decay},
                      {"clip_norm", o.clip_norm},
                      {"clip_value", o.clip_value}};
  if (o.name == "rmsprop") {
    json["decay"] = o.decay;
  }
  if (o.name == "adam" || o.name == "adamw") {
    json["beta2"] = o.beta2;
  }
  if (o.name != "sgd") {
    json["epsilon"] = o.epsilon;
  }
  return json;
}

std::unique_ptr<Optimizer> make_optimizer(nn::Parameters& parameters,
                                          const OptimizerOptions& options) {
  check(options);
  if (options.name == "sgd") {
    return std::make_unique<Sgd>(parameters, options);
  }
  if (options.name == "rmsprop") {
    return std::make_unique<RmsProp>(parameters, options);
  }
  require(options.name == "adam" || options.name == "adamw", "unknown optimizer " + options.name);
  return std::make_unique<Adam>(parameters, options);
}

}  // namespace lathe::train
