#include "lathe/measure/collect.h"

#include <algorithm>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/graph/counts.h"
#include "lathe/measure/random_net.h"

namespace lathe::measure {
namespace {

constexpr std::uint64_t kOrderSeed = 1;
constexpr std::uint64_t kWeightsSeed = 1;

graph::Net net_of(const space::Block& block) {
  return random_net(space::lower({&block, 1}), kWeightsSeed);
}

graph::Net net_of(const space::Space& space, const space::Arch& arch) {
  return random_net(space, arch, kWeightsSeed);
}

space::Arch middle(const space::Space& space) {
  space::Arch arch;
  for (const space::Decision& decision : space.decisions()) {
    arch.choices.push_back(static_cast<std::uint8_t>(decision.num_choices() / 2));
  }
  return space.canonical(arch);
}

space::Block typical_block(std::vector<space::Block> blocks) {
  const auto macs = [](const space::Block& block) {
    return graph::macs(space::lower({&block, 1}));
  };
  const auto middle = blocks.begin() + static_cast<std::ptrdiff_t>(blocks.size() / 2);
  std::nth_element(blocks.begin(), middle, blocks.end(),
                   [&](const auto& a, const auto& b) { return macs(a) < macs(b); });
  return *middle;
}

std::vector<double> turn_medians(const Timing& timing) {
  std::vector<double> medians;
  for (const std::vector<double>& round_ms : timing.rounds_ms) {
    medians.push_back(median(round_ms));
  }
  return medians;
}

void check(const CollectOptions& options, const char* function) {
  if (options.group_size <= 0) {
    throw std::invalid_argument(std::string("[measure::") + function +
                                "] group_size must be > 0, got " +
                                std::to_string(options.group_size));
  }
}

/// Times groups of nets of which the first is the anchor, and again what was disturbed.
class Groups {
 public:
  /// `quiet_ms`: medians of the anchor in groups that were timed before.
  Groups(Runner& runner, const CollectOptions& options, const std::vector<double>& quiet_ms)
      : runner_(runner), options_(options) {
    for (const double ms : quiet_ms) {
      quiet_ms_ = std::min(quiet_ms_, ms);
    }
  }

  std::vector<Timing> time(std::span<const graph::Net> nets) {
    std::vector<Timing> best;
    double best_ms = std::numeric_limits<double>::infinity();
    const auto disturbed = [&] { return best_ms > kDisturbed * quiet_ms_; };
    const auto worth_another = [&] {
      return disturbed() && (!options_.in_time || options_.in_time());
    };
    for (int i = 0; i == 0 || (i <= options_.again && worth_another()); ++i) {
      std::vector<Timing> timings = runner_.time(nets, options_.timing);
      if (const double ms = median(turn_medians(timings.front())); ms < best_ms) {
        best_ms = ms;
        best = std::move(timings);
      }
    }
    quiet_ms_ = disturbed() ? best_ms : std::min(quiet_ms_, best_ms);
    return best;
  }

 private:
  Runner& runner_;
  const CollectOptions& options_;
  double quiet_ms_ = std::numeric_limits<double>::infinity();
};

/// Of the anchors that were timed with measurements.
template <typename Measurement>
std::vector<double> anchor_medians(const std::vector<Measurement>& measurements) {
  std::vector<double> medians;
  for (const Measurement& one : measurements) {
    if (!one.anchor_ms.empty()) {
      medians.push_back(median(one.anchor_ms));
    }
  }
  return medians;
}

/// Times `count` nets in groups, each with the anchor: `keep(i, its timing, the anchor's)`.
template <typename MakeNet, typename Keep>
void time_in_groups(Groups& groups, const graph::Net& anchor, std::size_t count,
                    const CollectOptions& options, const MakeNet& make_net, const Keep& keep) {
  const auto group_size = static_cast<std::size_t>(options.group_size);
  if (options.at_most > 0) {
    count = std::min(count, static_cast<std::size_t>(options.at_most));
  }
  for (std::size_t begin = 0; begin < count; begin += group_size) {
    const std::size_t end = std::min(count, begin + group_size);
    std::vector<graph::Net> nets{anchor};
    for (std::size_t i = begin; i < end; ++i) {
      nets.push_back(make_net(i));
    }
    const std::vector<Timing> timings = groups.time(nets);
    for (std::size_t i = begin; i < end; ++i) {
      keep(i, timings[i - begin + 1], timings[0]);
    }
  }
}

}  // namespace

latency::Fingerprint fingerprint(const Runner& runner, const space::Space& space) {
  return {.device = runner.device(),
          .runtime = runner.runtime(),
          .precision = runner.precision(),
          .batch = runner.batch(),
          .threads = runner.threads(),
          .space = space.name(),
          .in_channels = space.task().in_channels,
          .num_classes = space.task().num_classes,
          .input_size = space.task().input_size};
}

void collect_samples(Runner& runner, const space::Space& space, std::span<const space::Arch> archs,
                     latency::SampleLog& log, const CollectOptions& options,
                     const ProgressFn& progress) {
  check(options, "collect_samples");
  if (archs.empty()) {
    return;
  }
  const graph::Net anchor = net_of(space, middle(space));
  const auto before = static_cast<std::int64_t>(log.samples().size());
  const std::int64_t total = before + static_cast<std::int64_t>(archs.size());
  Groups groups(runner, options, anchor_medians(log.samples()));
  time_in_groups(
      groups, anchor, archs.size(), options, [&](std::size_t i) { return net_of(space, archs[i]); },
      [&](std::size_t i, const Timing& timing, const Timing& of_anchor) {
        const LatencyStats stats = latency_stats(timing.times_ms());
        log.append({archs[i], stats.p50_ms, stats.p90_ms, stats.count, timing.rounds_ms,
                    turn_medians(of_anchor)});
        if (progress) {
          progress({"latency", before + static_cast<std::int64_t>(i) + 1, total, "whole nets"});
        }
      });
}

void collect_blocks(Runner& runner, const space::Space& space, latency::BlockLog& log,
                    const CollectOptions& options, const ProgressFn& progress) {
  check(options, "collect_blocks");
  std::vector<space::Block> blocks = space.distinct_blocks();
  const std::size_t total = blocks.size();
  const graph::Net anchor = net_of(typical_block(blocks));
  Rng rng(kOrderSeed);
  shuffle(std::span(blocks), rng);
  std::set<std::string> known;
  for (const latency::BlockMeasurement& measured : log.measurements()) {
    known.insert(measured.key);
  }
  std::erase_if(blocks, [&](const space::Block& block) { return known.contains(block.key()); });
  std::size_t done = total - blocks.size();
  Groups groups(runner, options, anchor_medians(log.measurements()));
  time_in_groups(
      groups, anchor, blocks.size(), options, [&](std::size_t i) { return net_of(blocks[i]); },
      [&](std::size_t i, const Timing& timing, const Timing& of_anchor) {
        log.append({blocks[i].key(), turn_medians(timing), turn_medians(of_anchor)});
        ++done;
        if (progress) {
          progress({"latency", static_cast<std::int64_t>(done), static_cast<std::int64_t>(total),
                    "blocks timed alone"});
        }
      });
}

}  // namespace lathe::measure
