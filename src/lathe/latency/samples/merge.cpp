#include "lathe/latency/samples/merge.h"

#include <set>
#include <stdexcept>
#include <string>

#include "lathe/latency/samples/measurement_log.h"

namespace lathe::latency {

Merged merge_measurements(std::span<const std::filesystem::path> files,
                          const std::filesystem::path& out) {
  if (files.empty()) {
    throw std::invalid_argument("[latency::merge_measurements] needs at least one file");
  }
  if (std::filesystem::exists(out)) {
    throw Error(out.string() + ": exists; name another file");
  }
  const MeasurementLines first = read_measurements(files[0]);
  Merged merged;
  std::set<std::string> seen;
  std::string text = fingerprint_line(first.fingerprint).dump() + "\n";
  for (const std::filesystem::path& path : files) {
    const MeasurementLines read = read_measurements(path);
    if (const auto reason = difference(first.fingerprint, read.fingerprint)) {
      throw Error(path.string() + ": measured under other conditions than " + files[0].string() +
                  ": " + *reason);
    }
    for (const nlohmann::json& line : read.lines) {
      const std::string dumped = line.dump();
      if (seen.insert(dumped).second) {
        text += dumped + "\n";
        ++merged.lines;
      } else {
        ++merged.duplicates;
      }
    }
  }
  write_file_atomic(out, text);
  return merged;
}

}  // namespace lathe::latency
