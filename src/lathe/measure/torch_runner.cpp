#include "lathe/measure/torch_runner.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <torch/version.h>

#include <array>
#include <cmath>
#include <stdexcept>

#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/measure/cpu_model.h"
#include "lathe/nn/executor.h"

namespace lathe::measure {
namespace {

constexpr const char* kChannelsLast = " channels_last";
// Then they repeat: drawing millions takes longer than timing the net. A prime, so that no two
// channels get the same ones.
constexpr std::size_t kDistinctWeights = 65521;

class ThreadsGuard {
 public:
  explicit ThreadsGuard(int threads) : before_(at::get_num_threads()) {
    if (threads != before_) {
      at::set_num_threads(threads);
    }
  }
  ~ThreadsGuard() {
    if (at::get_num_threads() != before_) {
      at::set_num_threads(before_);
    }
  }
  ThreadsGuard(const ThreadsGuard&) = delete;
  ThreadsGuard& operator=(const ThreadsGuard&) = delete;

 private:
  int before_;
};

at::MemoryFormat layout(bool channels_last) {
  return channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

class TorchRunner final : public Runner {
 public:
  TorchRunner(const TorchRunnerOptions& options, bool channels_last)
      : options_(options), channels_last_(channels_last) {}

  Runnable prepare(const graph::Net& net) const {
    const c10::InferenceMode inference;
    const graph::Net folded = graph::fold_batch_norm(net);
    const graph::Shape shape = folded.graph.input_shape();
    Rng rng(options_.seed);
    std::array<at::Tensor, 2> inputs;  // in turns, so that no run is a repetition of the last
    for (at::Tensor& x : inputs) {
      FloatTensor input{{options_.batch, shape.channels, shape.height, shape.width}, {}};
      for (std::int64_t i = 0; i < options_.batch * shape.size(); ++i) {
        input.values.push_back(static_cast<float>(rng.normal()));
      }
      x = nn::to_torch(input).contiguous(layout(channels_last_));
    }
    nn::Binding binding = nn::bind(folded);
    for (nn::NodeTensors& tensors : binding) {
      if (tensors.weight.defined() && tensors.weight.dim() == 4) {
        tensors.weight = tensors.weight.contiguous(layout(channels_last_));
      }
    }
    return [executor = std::make_shared<nn::Executor>(folded.graph), binding = std::move(binding),
            inputs = std::move(inputs), turn = std::size_t{0}]() mutable {
      const c10::InferenceMode inference_mode;
      const at::Tensor& x = inputs[turn++ % inputs.size()];
      const at::Tensor y = executor->forward(binding, x, {.kernels = nn::Kernels::kLibrary});
      [[maybe_unused]] const volatile float consumed = *y.data_ptr<float>();
    };
  }

  std::vector<Timing> time(std::span<const graph::Net> nets, const TimingOptions& options,
                           const TurnFn& progress) override {
    std::vector<Runnable> runnables;
    for (const graph::Net& net : nets) {
      runnables.push_back(prepare(net));
    }
    const ThreadsGuard guard(options_.threads);
    return time_interleaved(runnables, options, progress);
  }

  std::string device() const override { return cpu_model(); }
  std::string runtime() const override {
    return std::string("torch ") + TORCH_VERSION + (channels_last_ ? kChannelsLast : " nchw");
  }
  int batch() const override { return options_.batch; }
  int threads() const override { return options_.threads; }

 private:
  TorchRunnerOptions options_;
  bool channels_last_;
};

}  // namespace

graph::Net random_net(const graph::Graph& graph, std::uint64_t seed) {
  using Role = graph::ParameterSpec::Role;
  graph::Net net{graph, {}};
  Rng rng(seed);
  for (const graph::ParameterSpec& spec : graph::parameters_of(graph)) {
    std::int64_t count = 1;
    for (std::int64_t size : spec.shape) {
      count *= size;
    }
    const bool ones = spec.role == Role::kRunningVar ||
                      (spec.role == Role::kWeight && spec.op == graph::Op::kBatchNorm);
    FloatTensor tensor{spec.shape,
                       std::vector<float>(static_cast<std::size_t>(count), ones ? 1.0F : 0.0F)};
    if (spec.role == Role::kWeight && !ones) {
      const double fan_in = static_cast<double>(count / spec.shape[0]);
      for (std::size_t i = 0; i < tensor.values.size(); ++i) {
        tensor.values[i] = i < kDistinctWeights
                               ? static_cast<float>(rng.normal() * std::sqrt(2.0 / fan_in))
                               : tensor.values[i - kDistinctWeights];
      }
    }
    net.weights[spec.name] = std::move(tensor);
  }
  return net;
}

std::unique_ptr<Runner> make_torch_runner(const graph::Net& probe,
                                          const TorchRunnerOptions& options) {
  if (options.threads <= 0 || options.batch <= 0) {
    throw std::invalid_argument("[measure::make_torch_runner] threads and batch must be > 0, got " +
                                std::to_string(options.threads) + " and " +
                                std::to_string(options.batch));
  }
  if (options.channels_last) {
    return std::make_unique<TorchRunner>(options, *options.channels_last);
  }
  const std::vector<Runnable> both{TorchRunner(options, false).prepare(probe),
                                   TorchRunner(options, true).prepare(probe)};
  const ThreadsGuard guard(options.threads);
  const std::vector<Timing> timings = time_interleaved(both, {});
  return std::make_unique<TorchRunner>(
      options, median(timings[1].times_ms()) < median(timings[0].times_ms()));
}

bool is_channels_last(const std::string& runtime) {
  return runtime.find(kChannelsLast) != std::string::npos;
}

}  // namespace lathe::measure
