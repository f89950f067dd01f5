// Joining what several machines or runs have measured.
#pragma once

#include <filesystem>
#include <span>

namespace lathe::latency {

struct Merged {
  int lines = 0;       ///< measurements in the new file
  int duplicates = 0;  ///< lines that were in several files, or twice in one: kept once
};

/// Writes the measurements of all `files` (MeasurementLog's) into `out`, in their order,
/// atomically. Unfinished last lines are left out.
/// @throws std::invalid_argument if `files` is empty; Error if `out` exists, or naming the file
/// that can't be read, has no or several fingerprints, or another than the first file's (the
/// difference is named).
Merged merge_measurements(std::span<const std::filesystem::path> files,
                          const std::filesystem::path& out);

}  // namespace lathe::latency
