#include "lagrangian_loss.h"

#include <ctime>

#include "lathe/core/statistics.h"
#include "lathe/search/chain/lagrangian.h"

namespace lathe::bench {
namespace {

constexpr double kRounding = 1e-12;

double processor_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

}  // namespace

double median_ms(int rounds, const std::function<void()>& work) {
  work();
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const double start = processor_ms();
    work();
    times.push_back(processor_ms() - start);
  }
  return median(times);
}

std::vector<double> targets_of(const search::ParetoFront& front) {
  std::vector<double> targets;
  const double low = front.points().front().latency;
  const double high = front.points().back().latency;
  for (int i = 0; i < kTargets; ++i) {
    targets.push_back(low + (high - low) * (i + 0.5) / kTargets);
  }
  return targets;
}

LagrangianLoss lagrangian_loss(const space::Trellis& trellis, std::span<const double> error,
                               std::span<const double> latency, const search::ParetoFront& front) {
  LagrangianLoss loss;
  for (const double target : targets_of(front)) {
    const auto best = front.best(target);
    const auto found = search::lagrangian_search(trellis, error, latency, target);
    if (!best || !found) {
      loss.consistent = false;
      continue;
    }
    loss.consistent = loss.consistent && best->latency <= target && found->latency <= target &&
                      found->bound <= best->error + kRounding && found->error >= best->error &&
                      space::Trellis::total(best->path, error) == best->error;
    loss.exact += found->error == best->error ? 1 : 0;
    loss.optimum.push_back(best->error);
    loss.above.push_back(found->error - best->error);
    loss.unused_by_optimum.push_back(1 - best->latency / target);
    loss.unused.push_back(1 - found->latency / target);
  }
  return loss;
}

}  // namespace lathe::bench
