#include "lathe/measure/runners/torch_runner.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/version.h>

#include <array>
#include <cmath>
#include <stdexcept>

#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/measure/device_names.h"
#include "lathe/measure/random_net.h"
#include "lathe/nn/device.h"
#include "lathe/nn/executor.h"
#include "lathe/nn/precision.h"
#include "lathe/nn/threads.h"

namespace lathe::measure {
namespace {

constexpr const char* kChannelsLast = " channels_last";

at::MemoryFormat layout(bool channels_last) {
  return channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

/// Where every tensor of the net must lie, and in which layout.
struct Placement {
  at::Device device;
  at::MemoryFormat layout;

  at::Tensor place(const at::Tensor& tensor) const {
    const at::Tensor there = tensor.to(device);
    return there.dim() == 4 ? there.contiguous(layout) : there;
  }
};

class TorchRunner final : public Runner {
 public:
  TorchRunner(const TorchRunnerOptions& options, bool channels_last)
      : options_(options),
        device_(nn::open_device(options.device)),
        channels_last_(channels_last) {}

  Runnable prepare(const graph::Net& net) const {
    const c10::InferenceMode inference;
    const Placement placement{device_, layout(channels_last_)};
    const graph::Net folded = graph::fold_batch_norm(net);
    const graph::Shape shape = folded.graph.input_shape();
    Rng rng(options_.seed);
    std::array<at::Tensor, 2> inputs;  // in turns, so that no run is a repetition of the last
    for (at::Tensor& x : inputs) {
      x = placement.place(nn::to_torch(random_input(shape, options_.batch, rng)));
    }
    nn::Binding binding = nn::bind(folded);
    for (nn::NodeTensors& tensors : binding) {
      for (at::Tensor* tensor :
           {&tensors.weight, &tensors.bias, &tensors.running_mean, &tensors.running_var}) {
        if (tensor->defined()) {
          *tensor = placement.place(*tensor);
        }
      }
    }
    return [executor = std::make_shared<nn::Executor>(folded.graph), binding = std::move(binding),
            inputs = std::move(inputs), turn = std::size_t{0}, device = device_]() mutable {
      const c10::InferenceMode inference_mode;
      const at::Tensor& x = inputs[turn++ % inputs.size()];
      const at::Tensor y = executor->forward(binding, x, {.kernels = nn::Kernels::kLibrary});
      if (device.is_cuda()) {
        nn::synchronize(device);
      } else {
        [[maybe_unused]] const volatile float consumed = *y.data_ptr<float>();
      }
    };
  }

  std::vector<Timing> time(std::span<const graph::Net> nets, const TimingOptions& options,
                           const TurnFn& progress) override {
    std::vector<Runnable> runnables;
    for (const graph::Net& net : nets) {
      runnables.push_back(prepare(net));
    }
    const nn::ThreadsScope scope(options_.threads);
    nn::allow_tf32(false);
    return time_interleaved(runnables, options, progress);
  }

  std::string device() const override {
    return device_.is_cuda() ? gpu_model(device_.index()) : cpu_model();
  }
  std::string runtime() const override {
    return std::string("torch ") + TORCH_VERSION + (channels_last_ ? kChannelsLast : " nchw");
  }
  int batch() const override { return options_.batch; }
  int threads() const override { return options_.threads; }

 private:
  TorchRunnerOptions options_;
  at::Device device_;
  bool channels_last_;
};

}  // namespace

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
  const nn::ThreadsScope scope(options.threads);
  nn::allow_tf32(false);
  const std::vector<Timing> timings = time_interleaved(both, {});
  return std::make_unique<TorchRunner>(
      options, median(timings[1].times_ms()) < median(timings[0].times_ms()));
}

bool is_channels_last(const std::string& runtime) {
  return runtime.find(kChannelsLast) != std::string::npos;
}

}  // namespace lathe::measure
