#include "lathe/nn/parameters.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"

namespace lathe::nn {
namespace {

using lathe::testing::text_thrown;

Parameters three() {
  return Parameters({{.name = "w", .shape = {2, 3}},
                     {.name = "bias", .shape = {2}, .decays = false},
                     {.name = "a", .shape = {4}}});
}

TEST(Parameters, LieInOneArrayThoseThatDecayFirst) {
  const Parameters p = three();
  EXPECT_EQ(p.size(), 12);
  EXPECT_EQ(p.num_decayed(), 10);
  EXPECT_EQ(p.names(), (std::vector<std::string>{"a", "bias", "w"}));
  EXPECT_TRUE(p.contains("bias"));
  EXPECT_FALSE(p.contains("b"));
  EXPECT_TRUE(p.values().equal(at::zeros({12})));
  EXPECT_TRUE(p.grads().equal(at::zeros({12})));

  p.values().copy_(at::arange(12, at::kFloat));
  // Declared order within each group.
  EXPECT_TRUE(p.leaf("w").detach().equal(at::arange(0, 6, at::kFloat).view({2, 3})));
  EXPECT_TRUE(p.leaf("a").detach().equal(at::arange(6, 10, at::kFloat)));
  EXPECT_TRUE(p.leaf("bias").detach().equal(at::arange(10, 12, at::kFloat)));
}

TEST(Parameters, PartIsAViewOfAnyArrayOfTheLayout) {
  const Parameters p = three();
  const at::Tensor momentum = at::arange(12, at::kFloat);
  const at::Tensor part = p.part(momentum, "w");
  EXPECT_EQ(part.sizes(), at::IntArrayRef({2, 3}));
  part.fill_(-1);
  EXPECT_EQ(momentum.sum().item<float>(), -6 + 6 + 7 + 8 + 9 + 10 + 11);
  EXPECT_FALSE(p.part(p.leaf("w").view(-1), "w").requires_grad());
}

TEST(Parameters, GradientsAccumulateInPlace) {
  const Parameters p = three();
  const void* where = p.grads().data_ptr();
  for (int i = 0; i < 3; ++i) {
    (p.leaf("w").sum() + 2 * p.leaf("bias").narrow(0, 0, 1).sum()).backward();
  }
  EXPECT_EQ(p.grads().data_ptr(), where);
  EXPECT_TRUE(p.part(p.grads(), "w").equal(at::full({2, 3}, 3.0F)));
  EXPECT_EQ(p.part(p.grads(), "bias")[0].item<float>(), 6);
  EXPECT_EQ(p.part(p.grads(), "bias")[1].item<float>(), 0);
  EXPECT_TRUE(p.part(p.grads(), "a").equal(at::zeros({4})));
  EXPECT_EQ(p.leaf("w").grad().data_ptr(), where);
  EXPECT_TRUE(p.leaf("w").is_leaf());
}

TEST(Parameters, ReplicasShareValuesAndNotGradients) {
  const Parameters p({{.name = "w", .shape = {2}}}, 2);
  EXPECT_EQ(p.replicas(), 2);
  EXPECT_EQ(three().replicas(), 1);
  p.values().fill_(5);
  EXPECT_EQ(p.leaf("w", 1).sum().item<float>(), 10);
  (2 * p.leaf("w", 1)).sum().backward();
  EXPECT_TRUE(p.grads(0).equal(at::zeros({2})));
  EXPECT_TRUE(p.grads(1).equal(at::full({2}, 2.0F)));
  p.leaf("w").sum().backward();
  EXPECT_TRUE(p.grads().equal(at::ones({2})));
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { p.leaf("w", 2); }),
            "[nn::Parameters] replica must be below 2, got 2");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { Parameters({}, 0); }),
            "[nn::Parameters] replicas and alignment must be >= 1, got 0 and 1");
}

TEST(Parameters, MayBeAlignedAndArePackedWithoutTheGaps) {
  const Parameters p({{.name = "w", .shape = {2, 3}},
                      {.name = "bias", .shape = {2}, .decays = false},
                      {.name = "a", .shape = {4}}},
                     1, c10::kCPU, 4);
  EXPECT_EQ(p.size(), 16);
  EXPECT_EQ(p.num_elements(), 12);
  EXPECT_EQ(p.num_decayed(), 12);
  for (const auto& [name, offset] : {std::pair{"w", 0}, {"a", 8}, {"bias", 12}}) {
    EXPECT_EQ(p.leaf(name).storage_offset(), offset) << name;
  }
  const at::Tensor numbers = at::arange(12, at::kFloat);
  p.unpack(numbers, p.values());
  EXPECT_TRUE(p.packed(p.values()).equal(numbers));
  EXPECT_TRUE(p.leaf("a").detach().equal(at::arange(6, 10, at::kFloat)));
  EXPECT_EQ(p.values().sum().item<float>(), 66) << "gaps are zero";
  const Parameters dense = three();
  dense.unpack(numbers, dense.values());
  EXPECT_TRUE(dense.packed(dense.values()).is_same(dense.values()));
  EXPECT_TRUE(dense.values().equal(numbers));
  EXPECT_EQ(Parameters::alignment(c10::kCPU), 1);
  EXPECT_EQ(Parameters::alignment(c10::kCUDA), 64);
}

TEST(Parameters, AllOrNoneMayDecay) {
  EXPECT_EQ(Parameters({{.name = "a", .shape = {3}, .decays = false}}).num_decayed(), 0);
  EXPECT_EQ(Parameters({{.name = "a", .shape = {3}}}).num_decayed(), 3);
  EXPECT_EQ(Parameters({}).size(), 0);
}

TEST(Parameters, SaysWhichNameIsAtFault) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] {
              Parameters({{.name = "a", .shape = {3}},
                          {.name = "b", .shape = {1}},
                          {.name = "a", .shape = {2}, .decays = false}});
            }),
            "[nn::Parameters] declared twice: a");
  const Parameters p = three();
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { p.leaf("x"); }),
            "[nn::Parameters] no parameter x");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { p.part(p.values(), "x"); }),
            "[nn::Parameters] no parameter x");
}

}  // namespace
}  // namespace lathe::nn
