// The other side of protocol 2: a program that times model files when it is asked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lathe::measure {

/// What such a program does. What a function throws becomes the request's error, of which the
/// other side is told; the program goes on.
class RunnerService {
 public:
  struct Terms {
    int threads = 1;
    int batch = 1;
    std::string precision;  ///< of the files
  };

  virtual ~RunnerService() = default;

  /// The first request. {"device": ..., "runtime": ...}, and "precision" if it computes in other
  /// numbers than the files do.
  virtual nlohmann::json hello(const Terms& terms) = 0;
  /// `input_shape`: [N, C, H, W]; empty if the file alone knows.
  virtual void load(const std::filesystem::path& model,
                    const std::vector<std::int64_t>& input_shape) = 0;
  /// Runs a loaded model `warmup_runs` times, then `runs` times or for at most `max_ms` (0: no
  /// limit), but at least twice. {"latencies_ms": [...]}, and whatever reported_from_json() takes.
  virtual nlohmann::json time(const std::filesystem::path& model, int warmup_runs, int runs,
                              double max_ms) = 0;
  virtual void unload(const std::filesystem::path& model) = 0;
};

/// A line as a JSON object; nothing if it is none, such as a library's log.
std::optional<nlohmann::json> object_of_line(const std::string& line);

/// Answers every line of `in` by one of `out` until it ends, as docs/runners.md says. A request
/// that can't be fulfilled is answered by an error, a line without an "id" by nothing.
void serve(RunnerService& service, std::istream& in, std::ostream& out);

}  // namespace lathe::measure
