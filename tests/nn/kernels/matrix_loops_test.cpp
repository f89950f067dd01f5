#include "lathe/nn/kernels/matrix_loops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "lathe/core/random.h"

namespace lathe::nn {
namespace {

std::vector<float> random_floats(std::int64_t count, Rng& rng) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(2 * rng.uniform() - 1);
  return values;
}

struct Case {
  std::int64_t rows, depth, columns;
};

const std::vector<Case> kCases = {{1, 1, 1},    {5, 3, 2},   {13, 7, 17},  {25, 24, 24},
                                  {40, 16, 72}, {7, 33, 64}, {30, 12, 130}};

class MatrixLoopsTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > best_isa()) GTEST_SKIP() << "the machine has no such instructions";
  }
};

TEST_P(MatrixLoopsTest, ProductAgreesWithDoublePrecision) {
  const MatrixLoops loops = matrix_loops(GetParam());
  Rng rng(1);
  for (const Case& c : kCases) {
    for (const bool by_columns : {false, true}) {
      // A gap of 3 between the rows of a, and of b too.
      const std::vector<float> a = random_floats(c.rows * (c.depth + 3), rng);
      const std::vector<float> b = random_floats((c.depth + 3) * (c.columns + 3), rng);
      const std::int64_t depth_stride = by_columns ? 1 : c.columns + 3;
      const std::int64_t column_stride = by_columns ? c.depth + 3 : 1;
      std::vector<float> panels(static_cast<std::size_t>(c.depth * loops.padded(c.columns)));
      loops.pack(b.data(), c.depth, c.columns, depth_stride, column_stride, panels.data());
      std::vector<float> got(static_cast<std::size_t>(c.rows * c.columns + 1), -7.0F);
      loops.product(a.data(), c.depth + 3, c.rows, c.depth, panels.data(), c.columns, got.data());
      for (std::int64_t row = 0; row < c.rows; ++row) {
        for (std::int64_t column = 0; column < c.columns; ++column) {
          double sum = 0;
          for (std::int64_t k = 0; k < c.depth; ++k) {
            sum += double{a[static_cast<std::size_t>(row * (c.depth + 3) + k)]} *
                   double{b[static_cast<std::size_t>(k * depth_stride + column * column_stride)]};
          }
          ASSERT_NEAR(got[static_cast<std::size_t>(row * c.columns + column)], sum, 1e-5);
        }
      }
      EXPECT_EQ(got.back(), -7.0F) << "nothing is written behind the last row";
    }
  }
}

TEST_P(MatrixLoopsTest, OuterProductsAreAdded) {
  const MatrixLoops loops = matrix_loops(GetParam());
  Rng rng(2);
  for (const Case& c : kCases) {
    const std::int64_t padded = loops.padded(c.columns);
    const std::vector<float> a = random_floats(c.rows * (c.depth + 3), rng);
    const std::vector<float> b = random_floats(c.rows * (c.columns + 3) + padded, rng);
    std::vector<float> sums = random_floats(c.depth * padded, rng);
    const std::vector<float> before = sums;
    loops.add_outer(a.data(), c.depth + 3, b.data(), c.columns + 3, c.rows, c.depth, c.columns,
                    sums.data());
    for (std::int64_t i = 0; i < c.depth; ++i) {
      for (std::int64_t j = 0; j < c.columns; ++j) {
        const auto at = static_cast<std::size_t>(i * padded + j);
        double sum = before[at];
        for (std::int64_t row = 0; row < c.rows; ++row) {
          sum += double{a[static_cast<std::size_t>(row * (c.depth + 3) + i)]} *
                 double{b[static_cast<std::size_t>(row * (c.columns + 3) + j)]};
        }
        ASSERT_NEAR(sums[at], sum, 1e-5);
      }
    }
  }
}

TEST_P(MatrixLoopsTest, ARowDoesNotDependOnTheRowsBesideIt) {
  const MatrixLoops loops = matrix_loops(GetParam());
  Rng rng(3);
  const std::vector<float> a = random_floats(31 * 20, rng);
  const std::vector<float> b = random_floats(20 * 40, rng);
  std::vector<float> panels(static_cast<std::size_t>(20 * loops.padded(40)));
  loops.pack(b.data(), 20, 40, 40, 1, panels.data());
  std::vector<float> together(31 * 40);
  loops.product(a.data(), 20, 31, 20, panels.data(), 40, together.data());
  for (std::int64_t row = 0; row < 31; ++row) {
    std::vector<float> alone(40);
    loops.product(a.data() + row * 20, 20, 1, 20, panels.data(), 40, alone.data());
    const std::vector<float> want(together.begin() + row * 40, together.begin() + (row + 1) * 40);
    EXPECT_EQ(alone, want) << row;
  }
}

INSTANTIATE_TEST_SUITE_P(All, MatrixLoopsTest,
                         testing::Values(Isa::kGeneric, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& param) { return "isa" + std::to_string(param.index); });

}  // namespace
}  // namespace lathe::nn
