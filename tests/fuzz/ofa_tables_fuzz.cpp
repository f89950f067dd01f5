#include "lathe/latency/models/ofa_tables.h"

#include "fuzz/hostile_file.h"
#include "lathe/space/families/mobile_family.h"

namespace {

/// Few rows, so that the fuzzer finds tables that are complete.
const lathe::space::Space& small_space() {
  using lathe::graph::Activation;
  static const auto kSpace = lathe::space::make_mobile_space(
      {.name = "small",
       .task = {.in_channels = 3, .num_classes = 10, .input_size = 32},
       .stem_channels = 8,
       .first_channels = 8,
       .first_activation = Activation::kHSwish,
       .stages = {{.channels = 16,
                   .stride = 2,
                   .activation = Activation::kHSwish,
                   .depths = {1},
                   .kernels = {3},
                   .expansions = {3}}},
       .head_channels = 32,
       .feature_channels = 48,
       .resolutions = {32, 64}});
  return *kSpace;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] {
    const lathe::latency::BlockTable table(
        small_space(), lathe::latency::load_ofa_tables(small_space(), file.path()));
    if (table.covers(32)) {
      table.predict_ms(small_space().smallest());
    }
  });
  return 0;
}
