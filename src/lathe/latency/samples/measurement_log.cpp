#include "lathe/latency/samples/measurement_log.h"

#include <algorithm>
#include <cmath>

namespace lathe::latency {
namespace {

constexpr const char* kFingerprint = "fingerprint";

MeasurementLines split(std::vector<nlohmann::json> lines, const std::filesystem::path& path) {
  const std::string first = path.string() + ":1";
  MeasurementLines result;
  result.fingerprint =
      fingerprint_from_json(json_member<nlohmann::json>(lines.front(), kFingerprint, first), first);
  lines.erase(lines.begin());
  result.lines = std::move(lines);
  for (std::size_t i = 0; i < result.lines.size(); ++i) {
    if (result.lines[i].contains(kFingerprint)) {
      throw Error(line_name(path, i) +
                  ": expected a measurement, got a second fingerprint; join files with "
                  "`lathe latency merge`");
    }
  }
  return result;
}

}  // namespace

std::string line_name(const std::filesystem::path& path, std::size_t i) {
  return path.string() + ":" + std::to_string(i + 2);
}

std::vector<double> rounded_ms(std::vector<double> times_ms) {
  for (double& time_ms : times_ms) {
    time_ms = std::max(1e-6, std::round(time_ms * 1e6) / 1e6);
  }
  return times_ms;
}

MeasurementLines read_measurements(const std::filesystem::path& path) {
  std::vector<nlohmann::json> lines = JsonLines(path).read();
  if (lines.empty()) {
    throw Error(path.string() + ": expected latency measurements, got a missing or empty file");
  }
  return split(std::move(lines), path);
}

MeasurementLines read_measurements(const std::filesystem::path& path, const space::Space& space) {
  MeasurementLines read = read_measurements(path);
  require_space(read.fingerprint, space, path.string());
  return read;
}

nlohmann::ordered_json fingerprint_line(const Fingerprint& fingerprint) {
  return {{kFingerprint, to_json(fingerprint)}};
}

MeasurementLog::MeasurementLog(const std::filesystem::path& path, const space::Space& space,
                               const Fingerprint& fingerprint)
    : fingerprint_(fingerprint), lines_(path) {
  std::vector<nlohmann::json> lines = lines_.read();
  if (lines.empty()) {
    return;
  }
  MeasurementLines known = split(std::move(lines), path);
  require_space(known.fingerprint, space, path.string());
  if (const auto reason = difference(known.fingerprint, fingerprint)) {
    throw Error(path.string() + ": measured under other conditions: " + *reason +
                "; name another file");
  }
  found_ = std::move(known.lines);
  begun_ = true;
}

void MeasurementLog::append(const nlohmann::ordered_json& line) {
  if (!begun_) {
    lines_.append(fingerprint_line(fingerprint_));
    begun_ = true;
  }
  lines_.append(line);
}

}  // namespace lathe::latency
