// The file that measurements are collected in, whatever was measured.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "lathe/core/file.h"
#include "lathe/latency/samples/fingerprint.h"
#include "lathe/space/space.h"

namespace lathe::latency {

/// What a measurement file holds, line by line.
struct MeasurementLines {
  Fingerprint fingerprint;
  std::vector<nlohmann::json> lines;  ///< without the first, which is the fingerprint's
};

/// Reads a file that MeasurementLog wrote; an unfinished last line is left out.
/// @throws Error naming the file, and the line where there is one: it is missing or empty, or has
/// no fingerprint or several.
MeasurementLines read_measurements(const std::filesystem::path& path);
/// The same; @throws Error also if the fingerprint is of another space.
MeasurementLines read_measurements(const std::filesystem::path& path, const space::Space& space);

/// The first line of a measurement file: `{"fingerprint": {...}}`.
nlohmann::ordered_json fingerprint_line(const Fingerprint& fingerprint);

/// Where line `i` of MeasurementLines stands, for errors: `<path>:<i + 2>`.
std::string line_name(const std::filesystem::path& path, std::size_t i);

/// The same times to the nanosecond, which is what clocks tell: short lines.
std::vector<double> rounded_ms(std::vector<double> times_ms);

/// JSON lines: the fingerprint first, then one measurement a line, never rewritten. A crash loses
/// at most the line that was being written, so that collecting resumes where it stopped.
class MeasurementLog {
 public:
  /// Continues the file at `path`, or begins it with the first line appended.
  /// @throws Error as read_measurements() for a file that exists, or if its fingerprint differs
  /// (the difference is named).
  MeasurementLog(const std::filesystem::path& path, const space::Space& space,
                 const Fingerprint& fingerprint);

  /// Those that the file had when it was opened.
  const std::vector<nlohmann::json>& found() const { return found_; }

  /// @throws Error if the file can't be written.
  void append(const nlohmann::ordered_json& line);

 private:
  Fingerprint fingerprint_;
  JsonLines lines_;
  std::vector<nlohmann::json> found_;
  bool begun_ = false;
};

}  // namespace lathe::latency
