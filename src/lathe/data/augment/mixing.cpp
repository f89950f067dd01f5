#include "lathe/data/augment/mixing.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace lathe::data {
namespace {

/// The logarithm of a draw from Gamma(alpha, 1): for small alpha the draw itself may underflow.
double draw_log_gamma(double alpha, Rng& rng) {
  // Below 1: Gamma(alpha) is Gamma(alpha + 1) times U^(1 / alpha).
  double boost = 0;
  if (alpha < 1) {
    boost = std::log(1 - rng.uniform()) / alpha;
    alpha += 1;
  }
  const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = rng.normal();
    const double v = (1 + c * x) * (1 + c * x) * (1 + c * x);
    if (v <= 0) continue;
    const double u = 1 - rng.uniform();
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return boost + std::log(d * v);
  }
}

void require_alpha(double alpha, const char* name) {
  if (alpha >= 0 && std::isfinite(alpha)) return;
  throw std::invalid_argument("[data::draw_mix] " + std::string(name) + " must be >= 0, got " +
                              std::to_string(alpha));
}

}  // namespace

double draw_symmetric_beta(double alpha, Rng& rng) {
  if (!(alpha > 0 && std::isfinite(alpha))) {
    throw std::invalid_argument("[data::draw_symmetric_beta] alpha must be > 0, got " +
                                std::to_string(alpha));
  }
  const double x = draw_log_gamma(alpha, rng);
  const double y = draw_log_gamma(alpha, rng);
  return 1 / (1 + std::exp(y - x));
}

Mix draw_mix(const AugmentOptions& options, int size, Rng& rng) {
  if (size < 1) {
    throw std::invalid_argument("[data::draw_mix] size must be > 0, got " + std::to_string(size));
  }
  require_alpha(options.mixup, "mixup");
  require_alpha(options.cutmix, "cutmix");
  if (options.mixup == 0 && options.cutmix == 0) return {};
  const bool boxes = options.cutmix > 0 && (options.mixup == 0 || rng.below(2) == 1);
  Mix mix{.own_share = draw_symmetric_beta(boxes ? options.cutmix : options.mixup, rng),
          .boxes = boxes};
  if (!boxes) return mix;
  const auto side = static_cast<int>(size * std::sqrt(1 - mix.own_share));
  const auto bound = static_cast<std::uint32_t>(size);
  const int middle_y = static_cast<int>(rng.below(bound));
  const int middle_x = static_cast<int>(rng.below(bound));
  mix.box = {.top = std::max(middle_y - side / 2, 0),
             .bottom = std::min(middle_y + side / 2, size),
             .left = std::max(middle_x - side / 2, 0),
             .right = std::min(middle_x + side / 2, size)};
  const double area =
      static_cast<double>(mix.box.bottom - mix.box.top) * (mix.box.right - mix.box.left);
  mix.own_share = 1 - area / (static_cast<double>(size) * size);
  return mix;
}

void mix_images(const Mix& mix, std::int64_t n, int size, int channels, float* images) {
  const auto row = static_cast<std::ptrdiff_t>(size) * channels;
  const std::ptrdiff_t image = row * size;
  if (n < 1 || mix.own_share == 1) return;
  const std::vector<float> first(images, images + image);  // the last one's other image
  const auto share = static_cast<float>(mix.own_share);
  for (std::int64_t i = 0; i < n; ++i) {
    float* own = images + i * image;
    const float* other = i + 1 < n ? own + image : first.data();
    if (!mix.boxes) {
      for (std::ptrdiff_t p = 0; p < image; ++p) own[p] = share * own[p] + (1 - share) * other[p];
      continue;
    }
    for (std::ptrdiff_t y = mix.box.top; y < mix.box.bottom; ++y) {
      std::copy(other + y * row + std::ptrdiff_t{mix.box.left} * channels,
                other + y * row + std::ptrdiff_t{mix.box.right} * channels,
                own + y * row + std::ptrdiff_t{mix.box.left} * channels);
    }
  }
}

std::vector<float> mix_labels(const Mix& mix, std::span<const std::int64_t> labels,
                              int num_classes) {
  const auto classes = static_cast<std::size_t>(num_classes);
  std::vector<float> targets(labels.size() * classes);
  const auto share = static_cast<float>(mix.own_share);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    float* row = targets.data() + i * classes;
    row[labels[i]] += share;
    row[labels[(i + 1) % labels.size()]] += 1 - share;
  }
  return targets;
}

}  // namespace lathe::data
