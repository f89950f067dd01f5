#include "lathe/latency/models/latency_model.h"

#include <stdexcept>

namespace lathe::latency {

void LatencyModel::predict_ms(std::span<const space::Arch> archs, std::span<double> out_ms) const {
  if (archs.size() != out_ms.size()) {
    throw std::invalid_argument("[latency::LatencyModel::predict_ms] out_ms must have " +
                                std::to_string(archs.size()) + " values, got " +
                                std::to_string(out_ms.size()));
  }
  for (std::size_t i = 0; i < archs.size(); ++i) {
    out_ms[i] = predict_ms(archs[i]);
  }
}

}  // namespace lathe::latency
