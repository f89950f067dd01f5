#include "lathe/nn/precision.h"

#include <ATen/Context.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace lathe::nn {

std::vector<std::string> precision_names() { return {"float32", "tf32", "bfloat16"}; }

Precision precision_of(const std::string& name) {
  const std::vector<std::string> names = precision_names();
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    throw std::invalid_argument("[nn::precision_of] unknown precision " + name);
  }
  return static_cast<Precision>(std::distance(names.begin(), found));
}

std::string to_string(Precision precision) {
  return precision_names().at(static_cast<std::size_t>(precision));
}

void allow_tf32(bool allowed) {
  at::globalContext().setAllowTF32CuDNN(allowed);
  at::globalContext().setAllowTF32CuBLAS(allowed);
}

}  // namespace lathe::nn
