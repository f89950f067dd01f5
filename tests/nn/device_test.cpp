// Devices by name; on a GPU, where there is one, nets give and learn what they do on the CPU.
#include "lathe/nn/device.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/nn/channel_sort.h"
#include "lathe/nn/executor.h"
#include "lathe/nn/grow.h"
#include "nn/small_space.h"
#include "nn/supernet_state.h"

namespace lathe::nn {
namespace {

using lathe::testing::small_space;
using lathe::testing::text_thrown;

TEST(OpenDevice, KnowsTheCpuAndSaysWhatIsNotThere) {
  EXPECT_EQ(open_device("cpu"), c10::Device(c10::kCPU));
  const auto message = [](const std::string& name) {
    return text_thrown<Error>([&] { open_device(name); });
  };
  for (const std::string name : {"tpu", "mps", "", "cuda:", "cuda:-1", "gpu0"}) {
    EXPECT_EQ(message(name), "device \"" + name + "\": expected cpu, cuda or cuda:<number>");
  }
  EXPECT_EQ(message("cuda:99"), "device \"cuda:99\": LibTorch finds " +
                                    std::to_string(torch::cuda::device_count()) +
                                    " GPUs; it must be built with CUDA, and the driver be loaded");
}

TEST(MakeGenerator, GivesTheSameNumbersForTheSameSeed) {
  std::vector<c10::Device> devices{c10::kCPU};
  if (torch::cuda::is_available()) devices.push_back(open_device("cuda"));
  for (const c10::Device device : devices) {
    const auto draw = [&](std::uint64_t seed) {
      return at::empty({100}, at::TensorOptions(at::kFloat).device(device))
          .uniform_(0, 1, make_generator(device, seed));
    };
    EXPECT_TRUE(draw(7).equal(draw(7)));
    EXPECT_FALSE(draw(7).equal(draw(8)));
  }
}

class OnAGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) {
      GTEST_SKIP() << "needs a GPU and a LibTorch that is built with CUDA";
    }
    allow_tf32(false);
    Rng rng(3);
    Supernet cpu(space_);
    state_ = lathe::testing::random_state(cpu, rng);
  }
  Supernet supernet(const std::string& device) const {
    Supernet result(space_, {.device = open_device(device)});
    result.load_state(state_, "test");
    return result;
  }

  std::shared_ptr<const space::Space> space_ = small_space();
  TensorMap state_;
};

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kCPU, at::kDouble) - b.to(at::kCPU, at::kDouble)).norm().item<double>() /
         b.to(at::kCPU, at::kDouble).norm().item<double>();
}

/// Without the gaps that a GPU's array has.
at::Tensor gradient(const Supernet& of) { return of.parameters().packed(of.parameters().grads()); }

TEST_F(OnAGpu, AnswersGradientsAndStatisticsAreThoseOfTheCpu) {
  Rng rng(5);
  const at::Tensor images = at::randn({8, 2, 9, 9}, make_generator(c10::kCPU, 1));
  for (const bool channels_last : {false, true}) {
    for (const space::Arch& arch : {space_->largest(), space_->smallest(), space_->sample(rng)}) {
      Supernet cpu = supernet("cpu"), gpu = supernet("cuda");
      const Executor net(space_->graph(arch));
      const auto logits = [&](Supernet& of, bool training) {
        at::Tensor x = images.to(of.device());
        if (channels_last) x = x.contiguous(at::MemoryFormat::ChannelsLast);
        return net.forward(of.bind(net.graph()), x, {.training = training, .dropout = false});
      };
      EXPECT_LT(difference(logits(gpu, false), logits(cpu, false)), 1e-4);
      for (Supernet* of : {&cpu, &gpu}) {
        logits(*of, true).square().sum().backward();
      }
      EXPECT_LT(difference(gradient(gpu), gradient(cpu)), 1e-3);
      for (const auto& [name, statistic] : cpu.statistics()) {
        EXPECT_LT(difference(gpu.statistics().at(name), statistic), 1e-4) << name;
      }
    }
  }
}

TEST_F(OnAGpu, DropoutDropsItsShare) {
  Supernet gpu = supernet("cuda");
  const Executor net(space_->graph(space_->largest()));
  const at::Tensor images = at::randn({64, 2, 9, 9}, make_generator(c10::kCPU, 1)).to(gpu.device());
  double dropped = 0;
  net.forward(gpu.bind(net.graph()), images,
              {.training = true,
               .generator = make_generator(gpu.device(), 1),
               .observe = [&](int node, const at::Tensor& output) {
                 if (net.graph()[node].op == graph::Op::kDropout) {
                   dropped = output.eq(0).to(at::kFloat).mean().item<double>();
                 }
               }});
  EXPECT_GT(dropped, 0.05);  // 0.1, and what the activation before it has made zero
}

TEST_F(OnAGpu, SortingAndGrowingGiveTheSameNumbers) {
  for (const bool grows : {false, true}) {
    Supernet cpu = supernet("cpu"), gpu = supernet("cuda");
    for (Supernet* of : {&cpu, &gpu}) {
      if (grows) {
        grow(*of, *space_, space_->smallest(), {});
      } else {
        sort_channels(*of, *space_, {}, {});
      }
    }
    EXPECT_FALSE(cpu.state() == state_) << grows;
    const TensorMap there = gpu.state();
    for (const auto& [name, tensor] : cpu.state()) {  // growing multiplies kernels by matrices
      EXPECT_TRUE(at::allclose(to_torch(there.at(name)), to_torch(tensor), 1e-4, 1e-5)) << name;
    }
  }
}

}  // namespace
}  // namespace lathe::nn
