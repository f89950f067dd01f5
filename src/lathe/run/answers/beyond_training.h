// Targets that ask for other nets than those that were trained: how far off, and what it would
// take.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "lathe/core/progress.h"
#include "lathe/run/options.h"
#include "lathe/run/run_folder.h"
#include "lathe/run/stages/latency_stage.h"
#include "lathe/run/trained.h"

namespace lathe::run {

/// A target that the trained part of a space, or the one net of it, answers with its end: the whole
/// space has a net for it.
struct BeyondTraining {
  double target_ms = 0;  ///< a median
  bool slower = true;    ///< than the trained nets; else faster than all of them
  space::Arch arch;      ///< of the whole space: the most multiply-accumulates within the target
  std::int64_t macs = 0;
  std::int64_t trained_macs = 0;  ///< of the trained net that is nearest, the largest or smallest
};

/// Those of `medians_ms` that no trained net comes near (5% of the slowest net's latency), or is
/// fast enough for, and for which the whole space has a net with other multiply-accumulates by more
/// than a twentieth, found as by search::target_bounds(). None if the whole space was trained.
std::vector<BeyondTraining> beyond_training(const Trained& trained, const Device& device,
                                            const latency::LatencyModel& latency_of_part,
                                            const search::Constraints& constraints,
                                            const std::vector<double>& medians_ms);

/// How long training a net of `macs` alone takes for `epochs`, by the pace that the run in `from`
/// ended with, in multiply-accumulates a second. Nothing if it has no records.
std::optional<double> seconds_alone(const std::filesystem::path& from, const Trained& trained,
                                    std::int64_t macs, double epochs);

/// Says of each of beyond_training() how far off it is, and how the net that it asks for is
/// trained alone, for as many epochs as the run in `from`, and how long that takes. The net's arch
/// is left in <folder>/beyond/. `tail`: of DeviceNoise, for people.
void tell_beyond(const std::filesystem::path& from, const Trained& trained, const Device& device,
                 const latency::LatencyModel& latency_of_part,
                 const std::vector<BeyondTraining>& beyond, double tail, const RunFolder& folder,
                 const ProgressFn& progress);

}  // namespace lathe::run
