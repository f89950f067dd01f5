#include "lathe/run/answers/device_noise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/measure/random_net.h"

namespace lathe::run {
namespace {

constexpr std::uint64_t kSentinelSeed = 1;
constexpr int kNoiseSessions = 8;
constexpr double kLeastDeviation = 0.002;

nlohmann::ordered_json to_json(const DeviceNoise& noise, const space::Space& space) {
  nlohmann::ordered_json sentinels = nlohmann::ordered_json::array();
  for (const Sentinel& sentinel : noise.sentinels) {
    sentinels.push_back(
        {{"arch", space.to_json(sentinel.arch)}, {"session_ms", sentinel.session_ms}});
  }
  return {{"quantile", noise.quantile},
          {"tail", noise.tail},
          {"deviation", noise.deviation},
          {"sentinels", std::move(sentinels)}};
}

DeviceNoise noise_from_json(const nlohmann::json& json, const space::Space& space,
                            const std::string& where) {
  DeviceNoise noise{.quantile = json_member<double>(json, "quantile", where),
                    .tail = json_member<double>(json, "tail", where),
                    .deviation = json_member<double>(json, "deviation", where),
                    .sentinels = {}};
  for (const auto& sentinel : json_member<std::vector<nlohmann::json>>(json, "sentinels", where)) {
    noise.sentinels.push_back(
        {space.from_json(json_member<nlohmann::json>(sentinel, "arch", where), where),
         json_member<std::vector<double>>(sentinel, "session_ms", where)});
  }
  return noise;
}

DeviceNoise measured(const Device& device, const SpecializeOptions& options) {
  DeviceNoise noise{.quantile = options.quantile, .tail = 1, .deviation = 0, .sentinels = {}};
  std::vector<graph::Net> nets;
  for (const space::Arch& arch : {device.space->smallest(), device.space->largest()}) {
    noise.sentinels.push_back({arch, {}});
    nets.push_back(sentinel_net(*device.space, arch));
  }
  std::vector<double> tails;
  for (int session = 0; session < kNoiseSessions; ++session) {
    device.runner->renew();
    for (std::size_t i = 0; i < nets.size(); ++i) {
      const auto times_ms = time_session(*device.runner, nets[i], options).times_ms();
      noise.sentinels[i].session_ms.push_back(quantile(times_ms, options.quantile));
      tails.push_back(noise.sentinels[i].session_ms.back() / median(times_ms));
    }
  }
  noise.tail = median(tails);
  double variance = 0;
  for (const Sentinel& sentinel : noise.sentinels) {
    const double center = median(sentinel.session_ms);
    const double relative = robust_deviation(sentinel.session_ms, center) / center;
    variance += relative * relative / static_cast<double>(noise.sentinels.size());
  }
  noise.deviation = std::max(std::sqrt(variance), kLeastDeviation);
  return noise;
}

}  // namespace

graph::Net sentinel_net(const space::Space& space, const space::Arch& arch) {
  return measure::random_net(space, arch, kSentinelSeed);
}

measure::TimingOptions session_timing(const measure::TimingOptions& timing, double quantile) {
  constexpr double kAboveQuantile = 5;
  measure::TimingOptions session = timing;
  if (quantile > 0.5) {
    const int runs = static_cast<int>(std::ceil(kAboveQuantile / (1 - quantile)));
    session.runs_per_round =
        std::max(timing.runs_per_round, (runs + timing.rounds - 1) / timing.rounds);
    session.round_ms = 0;
  }
  return session;
}

measure::Timing time_session(measure::Runner& runner, const graph::Net& net,
                             const SpecializeOptions& options) {
  return runner.time({&net, 1}, session_timing(options.winner_timing, options.quantile)).front();
}

double session_ms(measure::Runner& runner, const graph::Net& net,
                  const SpecializeOptions& options) {
  return quantile(time_session(runner, net, options).times_ms(), options.quantile);
}

Session session(measure::Runner& runner, const graph::Net& net, const SpecializeOptions& options) {
  const measure::Timing timing = time_session(runner, net, options);
  return {quantile(timing.times_ms(), options.quantile), limit_share(timing.reported, options)};
}

double limit_share(const measure::Reported& reported, const SpecializeOptions& options) {
  double share = 0;
  const auto use = [&](const std::optional<double>& amount, double limit, const char* option,
                       const char* member) {
    if (std::isinf(limit)) {
      return;
    }
    if (!amount) {
      throw Error(fmt::format("{}: the runner doesn't say {}, which its answers need for that",
                              option, member));
    }
    share = std::max(share, *amount / limit);
  };
  use(reported.energy_mj, options.max_energy_mj, "--max-energy-mj", "energy_mj");
  use(reported.device_memory_mb, options.max_device_memory_mb, "--max-device-memory-mb",
      "device_memory_mb");
  return share;
}

DeviceNoise measure_noise(const Device& device, const SpecializeOptions& options,
                          const RunFolder& folder, const ProgressFn& progress) {
  const std::filesystem::path file = folder.device_noise();
  if (std::filesystem::exists(file)) {
    DeviceNoise noise = noise_from_json(read_json(file), *device.space, file.string());
    if (noise.quantile != options.quantile) {
      throw Error(fmt::format("{}: is of p{:g} where p{:g} is asked for; use another --out",
                              file.string(), 100 * noise.quantile, 100 * options.quantile));
    }
    return noise;
  }
  DeviceNoise noise = measured(device, options);
  write_json(file, to_json(noise, *device.space));
  progress({"latency", 0, 0,
            fmt::format("a net's sessions differ by {:.1f}%: what is chosen takes at most {:.1f}% "
                        "of a target{}",
                        100 * noise.deviation, 100 * guarded_ms(1, noise.deviation),
                        options.quantile > 0.5 ? fmt::format("; p{:g} is {:.3f} times the median",
                                                             100 * options.quantile, noise.tail)
                                               : "")});
  return noise;
}

bool disturbed(const DeviceNoise& noise, const space::Space& space, measure::Runner& runner,
               const SpecializeOptions& options) {
  constexpr double kClearly = 4;  // deviations
  const Sentinel& smallest = noise.sentinels.front();
  return session_ms(runner, sentinel_net(space, smallest.arch), options) >
         median(smallest.session_ms) * (1 + kClearly * noise.deviation);
}

}  // namespace lathe::run
