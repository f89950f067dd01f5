// Measured latencies of whole nets, and the file they are collected in.
#pragma once

#include <filesystem>
#include <vector>

#include "lathe/latency/samples/fingerprint.h"
#include "lathe/latency/samples/measurement_log.h"
#include "lathe/space/space.h"

namespace lathe::latency {

/// One net, run many times.
struct LatencySample {
  space::Arch arch;
  double median_ms = 0.0;
  double p90_ms = 0.0;
  int repeats = 0;                                  ///< runs behind the two figures
  std::vector<std::vector<double>> rounds_ms = {};  ///< every run, turn by turn; empty if not kept
  std::vector<double> anchor_ms = {};  ///< medians of the anchor net in the same turns, if any
  bool operator==(const LatencySample&) const = default;
};

/// What a sample file holds.
struct LatencySamples {
  Fingerprint fingerprint;
  std::vector<LatencySample> samples;
  bool unfinished = false;  ///< a last line without its end was left out
};

/// Reads a file that SampleLog wrote; an unfinished last line is left out. Where the samples have
/// anchors, the figures are corrected for the machine's drift (drift_factors).
/// @throws Error as read_measurements(), or naming the line: an arch is none of the space, or a
/// figure is not finite and > 0.
LatencySamples read_samples(const std::filesystem::path& path, const space::Space& space);

/// The whole file at once, atomically; anchors are left out, being spent.
/// @throws Error as write_file_atomic().
void write_samples(const std::filesystem::path& path, const space::Space& space,
                   const LatencySamples& samples);

/// What a sample file was measured under, to find its space by. @throws Error naming the file.
Fingerprint fingerprint_of_samples(const std::filesystem::path& path);

/// A MeasurementLog of whole nets: `{"arch": {...}, "median_ms": ..., "p90_ms": ..., "repeats":
/// ..., "rounds_ms": [[...], ...], "anchor_ms": [...]}`, the last two only where there are such.
class SampleLog {
 public:
  /// Continues the file at `path`, or begins it with the first sample. `space` must outlive this.
  /// @throws Error as MeasurementLog and read_samples().
  SampleLog(const std::filesystem::path& path, const space::Space& space,
            const Fingerprint& fingerprint);
  SampleLog(const std::filesystem::path&, space::Space&&, const Fingerprint&) = delete;

  /// Those already in the file and those appended since, as measured: not corrected for drift.
  const std::vector<LatencySample>& samples() const { return samples_; }

  /// @throws std::invalid_argument if a figure is not finite and > 0; Error if the file can't be
  /// written.
  void append(const LatencySample& sample);

 private:
  const space::Space* space_;
  MeasurementLog log_;
  std::vector<LatencySample> samples_;
};

}  // namespace lathe::latency
