#include "lathe/run/stages/measured_cells.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <tuple>

#include "lathe/core/error.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/run/stages/cell_stage.h"
#include "lathe/search/cells/derive.h"
#include "lathe/space/families/cell_family.h"
#include "lathe/train/cells/search_cells.h"

namespace lathe::run {
namespace {

/// Shares of a target that cells are derived for.
constexpr double kLimitShares[] = {1.15, 1.12, 1.09, 1.06, 1.04, 1.02, 1.0, 0.98,
                                   0.96, 0.93, 0.9,  0.86, 0.82, 0.76, 0.7};
constexpr int kOfAHundredth = 2;
constexpr double kSameTarget = 1e-6;  // relative: targets are read from text

bool is_of(const search::NearTarget& near, double target_ms) {
  return near.unit == "ms" && std::abs(near.target / target_ms - 1) < kSameTarget;
}

void add(std::vector<TimedCells>& cells, TimedCells more) {
  const auto same = std::ranges::find(cells, more.arch, &TimedCells::arch);
  if (same == cells.end()) {
    cells.push_back(std::move(more));
  }
}

void add_passed(std::vector<TimedCells>& cells, const space::Space& space,
                const search::CellLogits& logits, const search::CellLatency& latency,
                const search::NearTarget& near) {
  std::map<long, int> of_hundredth;
  for (auto passed = near.passed.rbegin(); passed != near.passed.rend(); ++passed) {
    if (passed->cells.size() != static_cast<std::size_t>(logits.kinds)) {
      throw Error(std::string(kNearTargetName) + ": its cells are of " +
                  std::to_string(passed->cells.size()) + " kinds, those of " + kCellsName + " of " +
                  std::to_string(logits.kinds) + "; search again");
    }
    const double ms = search::latency_of(passed->cells, latency);
    if (++of_hundredth[std::lround(std::floor(100 * ms / near.target))] <= kOfAHundredth) {
      add(cells, {.arch = space.canonical(space::arch_of(space, passed->cells)),
                  .predicted_ms = ms,
                  .score = search::score_of(passed->cells, logits),
                  .passed_at = passed->step});
    }
  }
}

}  // namespace

std::vector<TimedCells> cells_near(const space::Space& space, const search::CellLogits& logits,
                                   const search::CellLatency& latency,
                                   const std::optional<search::NearTarget>& near, double target_ms,
                                   int max_skips) {
  std::vector<TimedCells> cells;
  if (near && is_of(*near, target_ms)) {
    add_passed(cells, space, logits, latency, *near);
  }
  std::vector<double> limits;
  for (const double share : kLimitShares) {
    limits.push_back(share * target_ms);
  }
  for (const search::DerivedNet& net :
       search::derive_within(space, logits, latency, limits, {.max_skips = max_skips})) {
    if (net.feasible) {
      add(cells, {.arch = space.canonical(net.arch),
                  .predicted_ms = net.latency_ms,
                  .score = net.score,
                  .passed_at = {}});
    }
  }
  return cells;
}

void time_cells(std::span<TimedCells> cells, const space::Space& space, measure::Runner& runner,
                const std::filesystem::path& path, const measure::CollectOptions& options,
                const ProgressFn& progress) {
  if (cells.empty()) {
    return;  // a file without a line is none
  }
  latency::SampleLog log(path, space, measure::fingerprint(runner, space));
  std::vector<space::Arch> untimed;
  for (const TimedCells& one : cells) {
    if (std::ranges::find(log.samples(), one.arch, &latency::LatencySample::arch) ==
            log.samples().end() &&
        std::ranges::find(untimed, one.arch) == untimed.end()) {
      untimed.push_back(one.arch);
    }
  }
  if (!untimed.empty()) {
    measure::collect_samples(runner, space, untimed, log, options, progress);
  }
  std::map<space::Arch, double> measured_ms;
  for (const latency::LatencySample& sample : latency::read_samples(path, space).samples) {
    measured_ms.emplace(sample.arch, sample.median_ms);
  }
  for (TimedCells& one : cells) {
    one.measured_ms = measured_ms.at(one.arch);
  }
}

std::vector<TimedCells> answering(const std::vector<TimedCells>& cells, double target_ms) {
  const bool searched_for =
      std::ranges::any_of(cells, [](const TimedCells& one) { return one.passed_at.has_value(); });
  std::vector<TimedCells> within;
  std::ranges::copy_if(cells, std::back_inserter(within),
                       [&](const TimedCells& one) { return one.measured_ms <= target_ms; });
  // Less is earlier.
  const auto rank = [&](const TimedCells& one) {
    const bool uses_it = one.passed_at && one.measured_ms >= train::kTargetUsed * target_ms;
    return searched_for ? std::tuple(!uses_it, uses_it ? -*one.passed_at : 0, -one.measured_ms)
                        : std::tuple(false, std::int64_t{0}, -one.score);
  };
  std::ranges::stable_sort(within, {}, rank);
  return within;
}

}  // namespace lathe::run
