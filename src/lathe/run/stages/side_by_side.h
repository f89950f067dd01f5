// How nets that are each trained alone share the threads.
#pragma once

#include <cstddef>

namespace lathe::run {

/// First as many nets side by side as there are threads, on one each, for as long as that keeps all
/// of them busy; then the rest, each on as many as its shards can use.
struct SideBySide {
  std::size_t on_one_thread = 0;  ///< nets, a multiple of the threads
  std::size_t rest = 0;           ///< fewer than the threads
  int threads_of_rest = 1;        ///< each

  /// What all take together if each takes `net_s` on one thread, and half of that on two.
  double seconds(double net_s, int threads) const {
    return net_s * (static_cast<double>(on_one_thread) / threads +
                    (rest == 0 ? 0.0 : 1.0 / threads_of_rest));
  }
};

/// More threads than shards would change the sums, and what comes out. All arguments >= 1.
inline SideBySide side_by_side(std::size_t nets, int threads, int shards) {
  const std::size_t rest = nets % static_cast<std::size_t>(threads);
  const int each = rest == 0 ? 1 : threads / static_cast<int>(rest);
  return {nets - rest, rest, each < shards ? each : shards};
}

}  // namespace lathe::run
