// Measured latencies of whole nets, and the file they are collected in.
#pragma once

#include <filesystem>
#include <vector>

#include "lathe/core/file.h"
#include "lathe/latency/fingerprint.h"
#include "lathe/space/space.h"

namespace lathe::latency {

/// One net, run many times.
struct LatencySample {
  space::Arch arch;
  double median_ms = 0.0;
  double p90_ms = 0.0;
  int repeats = 0;  ///< runs behind the two figures
  bool operator==(const LatencySample&) const = default;
};

/// What a sample file holds.
struct LatencySamples {
  Fingerprint fingerprint;
  std::vector<LatencySample> samples;
  bool unfinished = false;  ///< a last line without its end was left out
};

/// Reads a file that SampleLog wrote; an unfinished last line is left out.
/// @throws Error naming the file, and the line where there is one: it is missing or empty, is of
/// another space, an arch is none of the space, or a figure is not finite and > 0.
LatencySamples read_samples(const std::filesystem::path& path, const space::Space& space);

/// The whole file at once, atomically. @throws Error as write_file_atomic().
void write_samples(const std::filesystem::path& path, const space::Space& space,
                   const LatencySamples& samples);

/// What a sample file was measured under, to find its space by. @throws Error naming the file.
Fingerprint fingerprint_of_samples(const std::filesystem::path& path);

/// JSON lines: the fingerprint first, then one sample a line, never rewritten. A crash loses at
/// most the sample that was being written, so that collecting resumes where it stopped.
class SampleLog {
 public:
  /// Continues the file at `path`, or begins it with the first sample. `space` must outlive this.
  /// @throws Error as read_samples() for a file that exists, or if its fingerprint differs (the
  /// difference is named).
  SampleLog(const std::filesystem::path& path, const space::Space& space,
            const Fingerprint& fingerprint);
  SampleLog(const std::filesystem::path&, space::Space&&, const Fingerprint&) = delete;

  /// Those already in the file and those appended since.
  const std::vector<LatencySample>& samples() const { return samples_; }

  /// @throws std::invalid_argument if a figure is not finite and > 0; Error if the file can't be
  /// written.
  void append(const LatencySample& sample);

 private:
  const space::Space* space_;
  Fingerprint fingerprint_;
  JsonLines lines_;
  std::vector<LatencySample> samples_;
  bool begun_ = false;
};

}  // namespace lathe::latency
