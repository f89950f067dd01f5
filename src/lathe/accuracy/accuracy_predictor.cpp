#include "lathe/accuracy/accuracy_predictor.h"

namespace lathe::accuracy {

double AccuracyPredictor::predict(const space::Arch& arch) const {
  double result = 0.0;
  predict(std::span(&arch, 1), std::span(&result, 1));
  return result;
}

std::vector<float> AccuracyPredictor::choice_effects(std::span<const space::Arch> /*archs*/) const {
  return {};
}

}  // namespace lathe::accuracy
