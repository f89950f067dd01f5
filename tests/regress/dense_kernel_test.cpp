#include "lathe/regress/dense_kernel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"

namespace lathe::regress {
namespace {

using lathe::testing::text_thrown;

std::vector<float> random_values(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(rng.uniform() * 2 - 1);
  }
  return values;
}

void expect_product_in_double(int rows, int inputs, int outputs) {
  const auto n = static_cast<std::size_t>(rows);
  const auto in = static_cast<std::size_t>(inputs);
  const auto out = static_cast<std::size_t>(outputs);
  const auto x = random_values(n * in, 1);
  const auto weight = random_values(in * out, 2);
  const auto bias = random_values(out, 3);
  std::vector<float> y(n * out, NAN);
  dense_forward(PackedDense(inputs, outputs, weight, bias), x, rows, y);
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t o = 0; o < out; ++o) {
      double expected = bias[o];
      for (std::size_t k = 0; k < in; ++k) {
        expected += static_cast<double>(x[r * in + k]) * weight[o * in + k];
      }
      ASSERT_NEAR(y[r * out + o], expected, 1e-5 * std::sqrt(static_cast<double>(in)))
          << rows << " rows, " << inputs << " -> " << outputs << " at " << r << ", " << o;
    }
  }
}

TEST(DenseForwardTest, EqualsTheProductInDouble) {
  for (const int rows : {0, 1, 2, 11, 12, 13, 40}) {
    for (const int inputs : {1, 3, 128}) {
      for (const int outputs : {1, 31, 32, 33, 100}) {
        expect_product_in_double(rows, inputs, outputs);
      }
    }
  }
}

TEST(DenseForwardTest, ARowIsTheSameToTheBitWhateverIsBesideIt) {
  const int rows = 29;
  const auto x = random_values(29UL * 57, 1);
  const PackedDense layer(57, 45, random_values(57UL * 45, 2), random_values(45, 3));
  std::vector<float> together(29UL * 45);
  dense_forward(layer, x, rows, together);
  for (std::size_t r = 0; r < 29; ++r) {
    std::vector<float> alone(45);
    dense_forward(layer, std::span(x).subspan(r * 57, 57), 1, alone);
    for (std::size_t o = 0; o < 45; ++o) {
      ASSERT_EQ(alone[o], together[r * 45 + o]);
    }
  }
}

TEST(DenseForwardTest, RefusesSizesThatDisagree) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { PackedDense(0, 2, {}, {}); }),
            "[regress::PackedDense] inputs and outputs must be > 0, got 0 and 2");
  const std::vector<float> four(4);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { PackedDense(2, 3, four, four); }),
            "[regress::PackedDense] weight and bias must have 6 and 3 values, got 4 and 4");
  const PackedDense layer(2, 1, std::vector<float>(2), std::vector<float>(1));
  std::vector<float> y(2);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { dense_forward(layer, four, 3, y); }),
            "[regress::dense_forward] 3 rows need 6 and 3 values, got 4 and 2");
}

}  // namespace
}  // namespace lathe::regress
