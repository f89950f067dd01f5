// Named float arrays: weights, checkpoints, perceptrons.
#include <cstdlib>

#include "fuzz/hostile_file.h"
#include "lathe/core/tensor_map.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] {
    std::size_t values = 0;
    for (const auto& [name, tensor] : lathe::load_safetensors(file.path()).tensors) {
      values += tensor.values.size();
    }
    if (values * sizeof(float) > size) {
      std::abort();  // more than was in the file
    }
  });
  return 0;
}
