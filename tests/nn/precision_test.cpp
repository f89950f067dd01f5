// bfloat16 layers over float32 weights: near what float32 gives, and everything kept stays float32.
#include "lathe/nn/precision.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/nn/device.h"
#include "lathe/nn/executor.h"
#include "nn/small_space.h"
#include "nn/supernet_state.h"

namespace lathe::nn {
namespace {

using lathe::testing::text_thrown;

TEST(PrecisionNames, AreThereAndBack) {
  for (const std::string& name : precision_names()) {
    EXPECT_EQ(to_string(precision_of(name)), name);
  }
  EXPECT_EQ(precision_of("bfloat16"), Precision::kBfloat16);
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { precision_of("float16"); }),
            "[nn::precision_of] unknown precision float16");
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).norm().item<double>() /
         b.to(at::kDouble).norm().item<double>();
}

class Bfloat16 : public ::testing::Test {
 protected:
  Bfloat16() {
    Rng rng(3);
    Supernet one(space_);
    const TensorMap state = lathe::testing::random_state(one, rng);
    exact_.load_state(state, "test");
    rounded_.load_state(state, "test");
  }
  at::Tensor logits(Supernet& of, const space::Arch& arch, Kernels kernels, Precision precision,
                    std::vector<at::ScalarType>* seen = nullptr) {
    const Executor net(space_->graph(arch));
    ForwardOptions options{
        .training = true, .dropout = false, .kernels = kernels, .precision = precision};
    if (seen != nullptr) {
      options.observe = [&](int, const at::Tensor& y) { seen->push_back(y.scalar_type()); };
    }
    return net.forward(of.bind(net.graph()), images_, options);
  }

  std::shared_ptr<const space::Space> space_ = lathe::testing::small_space();
  Supernet exact_{space_}, rounded_{space_};
  at::Tensor images_ = at::randn({32, 2, 9, 9}, make_generator(c10::kCPU, 1));
};

TEST_F(Bfloat16, IsNearFloat32InAnswersGradientsAndStatistics) {
  for (const Kernels kernels : {Kernels::kLathe, Kernels::kLibrary}) {
    for (const space::Arch& arch : {space_->largest(), space_->smallest()}) {
      const at::Tensor exact = logits(exact_, arch, kernels, Precision::kFloat32);
      const at::Tensor rounded = logits(rounded_, arch, kernels, Precision::kBfloat16);
      EXPECT_EQ(rounded.scalar_type(), at::kFloat);
      EXPECT_GT(difference(rounded, exact), 1e-4) << "nothing was rounded";
      EXPECT_LT(difference(rounded, exact), 0.05);
      exact.square().mean().backward();
      rounded.square().mean().backward();
      const at::Tensor& gradient = rounded_.parameters().grads();
      EXPECT_EQ(gradient.scalar_type(), at::kFloat);
      EXPECT_LT(difference(gradient, exact_.parameters().grads()), 0.1);
      for (const auto& [name, statistic] : rounded_.statistics()) {
        EXPECT_EQ(statistic.scalar_type(), at::kFloat) << name;
        EXPECT_LT(difference(statistic, exact_.statistics().at(name)), 0.02) << name;
      }
      exact_.parameters().grads().zero_();
      rounded_.parameters().grads().zero_();
    }
  }
}

TEST_F(Bfloat16, IsWhatLayersPassOn) {
  for (const Precision precision : {Precision::kFloat32, Precision::kTf32, Precision::kBfloat16}) {
    std::vector<at::ScalarType> seen;
    logits(exact_, space_->largest(), Kernels::kLathe, precision, &seen);
    const auto expected = precision == Precision::kBfloat16 ? at::kBFloat16 : at::kFloat;
    EXPECT_GT(seen.size(), 20U);
    for (const at::ScalarType type : seen) EXPECT_EQ(type, expected);
  }
}

TEST_F(Bfloat16, Tf32IsFloat32OnTheCpu) {
  const space::Arch arch = space_->largest();
  allow_tf32(true);
  const at::Tensor tf32 = logits(rounded_, arch, Kernels::kLathe, Precision::kTf32);
  allow_tf32(false);
  EXPECT_TRUE(tf32.equal(logits(exact_, arch, Kernels::kLathe, Precision::kFloat32)));
}

}  // namespace
}  // namespace lathe::nn
