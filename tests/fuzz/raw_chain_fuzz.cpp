#include "lathe/search/chain/raw_chain.h"

#include "fuzz/hostile_file.h"
#include "lathe/search/chain/lagrangian.h"
#include "lathe/search/chain/pareto_front.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const lathe::testing::HostileFile file(bytes, size);
  lathe::testing::expect_loaded_or_refused([&] {
    const auto chain = lathe::search::load_raw_chain(file.path());
    const lathe::search::ParetoFront front(chain.trellis, chain.error, chain.latency_ms);
    if (front.points().empty()) {
      std::abort();  // costs are finite: there is a path
    }
    const double limit = front.points().back().latency;
    const auto relaxed =
        lathe::search::lagrangian_search(chain.trellis, chain.error, chain.latency_ms, limit);
    if (!relaxed || relaxed->latency > limit || front.best(limit)->error > relaxed->error) {
      std::abort();
    }
  });
  return 0;
}
