#include "lathe/train/step/loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>

namespace lathe::train {
namespace {

constexpr std::array<std::array<double, 3>, 2> kLogits{{{1.0, -2.0, 0.5}, {0.0, 3.0, 1.0}}};
constexpr std::array<std::array<double, 3>, 2> kTeacher{{{0.2, 0.1, -1.0}, {2.0, 2.5, -0.5}}};
constexpr std::array<std::int64_t, 2> kLabels{2, 1};

at::Tensor tensor(const std::array<std::array<double, 3>, 2>& values) {
  const at::Tensor result = at::empty({2, 3}, at::kDouble);
  for (std::int64_t n = 0; n < 2; ++n) {
    for (std::int64_t c = 0; c < 3; ++c) {
      result[n][c] = values[static_cast<std::size_t>(n)][static_cast<std::size_t>(c)];
    }
  }
  return result;
}

at::Tensor labels() {
  const at::Tensor result = at::empty({2}, at::kLong);
  for (std::int64_t n = 0; n < 2; ++n) result[n] = kLabels[static_cast<std::size_t>(n)];
  return result;
}

double log_softmax(const std::array<double, 3>& logits, std::size_t c) {
  return logits[c] - std::log(std::exp(logits[0]) + std::exp(logits[1]) + std::exp(logits[2]));
}

/// Central differences of `loss` in each logit against the gradient by backward.
void expect_numeric_gradient(const std::function<at::Tensor(const at::Tensor&)>& loss) {
  const at::Tensor logits = tensor(kLogits).requires_grad_(true);
  loss(logits).backward();
  constexpr double kStep = 1e-5;
  for (std::int64_t n = 0; n < 2; ++n) {
    for (std::int64_t c = 0; c < 3; ++c) {
      const auto moved = [&](double by) {
        const at::Tensor at = tensor(kLogits);
        at[n][c] += by;
        return loss(at).item<double>();
      };
      EXPECT_NEAR(logits.grad()[n][c].item<double>(), (moved(kStep) - moved(-kStep)) / (2 * kStep),
                  1e-8);
    }
  }
}

TEST(LabelLoss, TakesSoftLabels) {
  const at::Tensor logits = tensor(kLogits);
  const at::Tensor ends = at::one_hot(labels(), 3).to(at::kDouble);
  const at::Tensor other = at::one_hot(labels().flip(0), 3).to(at::kDouble);
  for (const double smoothing : {0.0, 0.1}) {
    const double own = label_loss(logits, labels(), smoothing).item<double>();
    const double swapped = label_loss(logits, labels().flip(0), smoothing).item<double>();
    EXPECT_NEAR(label_loss(logits, ends, smoothing).item<double>(), own, 1e-12);
    EXPECT_NEAR(label_loss(logits, 0.7 * ends + 0.3 * other, smoothing).item<double>(),
                0.7 * own + 0.3 * swapped, 1e-12);
  }
}

TEST(LabelLoss, ByHandAndNumericGradient) {
  for (const double smoothing : {0.0, 0.1, 0.5}) {
    double expected = 0;
    for (std::size_t n = 0; n < 2; ++n) {
      for (std::size_t c = 0; c < 3; ++c) {
        const bool right = static_cast<std::int64_t>(c) == kLabels[n];
        const double target = (right ? 1 - smoothing : 0) + smoothing / 3;
        expected -= target * log_softmax(kLogits[n], c) / 2;
      }
    }
    const auto loss = [&](const at::Tensor& logits) {
      return label_loss(logits, labels(), smoothing);
    };
    EXPECT_NEAR(loss(tensor(kLogits)).item<double>(), expected, 1e-12);
    expect_numeric_gradient(loss);
  }
}

TEST(SoftLabelLoss, ByHandAndNumericGradient) {
  double expected = 0;
  for (std::size_t n = 0; n < 2; ++n) {
    for (std::size_t c = 0; c < 3; ++c) {
      expected -= std::exp(log_softmax(kTeacher[n], c)) * log_softmax(kLogits[n], c) / 2;
    }
  }
  const auto loss = [](const at::Tensor& logits) {
    return soft_label_loss(logits, tensor(kTeacher));
  };
  EXPECT_NEAR(loss(tensor(kLogits)).item<double>(), expected, 1e-12);
  expect_numeric_gradient(loss);
}

TEST(SoftLabelLoss, SendsNoGradientToTheTeacher) {
  const at::Tensor teacher = tensor(kTeacher).requires_grad_(true);
  const at::Tensor logits = tensor(kLogits).requires_grad_(true);
  soft_label_loss(logits, teacher).backward();
  EXPECT_FALSE(teacher.grad().defined());
  EXPECT_TRUE(logits.grad().defined());
}

}  // namespace
}  // namespace lathe::train
