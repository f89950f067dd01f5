#include "lathe/latency/sample.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace lathe::latency {
namespace {

bool plausible(const LatencySample& sample) {
  return std::isfinite(sample.median_ms) && sample.median_ms > 0 && std::isfinite(sample.p90_ms) &&
         sample.p90_ms > 0 && sample.repeats > 0;
}

LatencySample sample_from_json(const nlohmann::json& json, const space::Space& space,
                               const std::string& where) {
  LatencySample sample;
  sample.arch = space.from_json(json_member<nlohmann::json>(json, "arch", where), where);
  sample.median_ms = json_member<double>(json, "median_ms", where);
  sample.p90_ms = json_member<double>(json, "p90_ms", where);
  sample.repeats = json_member<int>(json, "repeats", where);
  if (!plausible(sample)) {
    throw Error(where + ": median_ms, p90_ms and repeats must be > 0, got " +
                json.at("median_ms").dump() + ", " + json.at("p90_ms").dump() + " and " +
                json.at("repeats").dump());
  }
  return sample;
}

nlohmann::ordered_json line_of(const space::Space& space, const LatencySample& sample) {
  return {{"arch", space.to_json(sample.arch)},
          {"median_ms", sample.median_ms},
          {"p90_ms", sample.p90_ms},
          {"repeats", sample.repeats}};
}

Fingerprint fingerprint_of(const nlohmann::json& first_line, const std::string& path) {
  const std::string where = path + ":1";
  return fingerprint_from_json(json_member<nlohmann::json>(first_line, "fingerprint", where),
                               where);
}

LatencySamples parse(const std::vector<nlohmann::json>& lines, const space::Space& space,
                     const std::string& path) {
  if (lines.empty()) {
    throw Error(path + ": expected latency samples, got a missing or empty file");
  }
  LatencySamples result;
  result.fingerprint = fingerprint_of(lines.front(), path);
  require_space(result.fingerprint, space, path);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string where = path + ":" + std::to_string(i + 1);
    if (lines[i].is_object() && lines[i].contains("fingerprint")) {
      throw Error(where + ": a second fingerprint; samples of several measurements don't mix");
    }
    result.samples.push_back(sample_from_json(lines[i], space, where));
  }
  return result;
}

}  // namespace

LatencySamples read_samples(const std::filesystem::path& path, const space::Space& space) {
  LatencySamples samples = parse(JsonLines(path).read(), space, path.string());
  samples.unfinished = !read_file(path).ends_with('\n');
  return samples;
}

void write_samples(const std::filesystem::path& path, const space::Space& space,
                   const LatencySamples& samples) {
  std::string text =
      nlohmann::ordered_json{{"fingerprint", to_json(samples.fingerprint)}}.dump() + "\n";
  for (const LatencySample& sample : samples.samples) {
    text += line_of(space, sample).dump() + "\n";
  }
  write_file_atomic(path, text);
}

Fingerprint fingerprint_of_samples(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) {
    throw Error(path.string() + ": expected latency samples, got no complete line");
  }
  const std::string where = path.string() + ":1";
  return fingerprint_of(parse_json(std::string_view(text).substr(0, end), where), path.string());
}

SampleLog::SampleLog(const std::filesystem::path& path, const space::Space& space,
                     const Fingerprint& fingerprint)
    : space_(&space), fingerprint_(fingerprint), lines_(path) {
  const auto lines = lines_.read();
  if (lines.empty()) {
    return;
  }
  LatencySamples known = parse(lines, space, path.string());
  if (const auto reason = difference(known.fingerprint, fingerprint)) {
    throw Error(path.string() + ": measured under other conditions: " + *reason +
                "; name another file");
  }
  samples_ = std::move(known.samples);
  begun_ = true;
}

void SampleLog::append(const LatencySample& sample) {
  if (!plausible(sample)) {
    throw std::invalid_argument(
        "[latency::SampleLog::append] median_ms, p90_ms and repeats must be > 0, got " +
        std::to_string(sample.median_ms) + ", " + std::to_string(sample.p90_ms) + " and " +
        std::to_string(sample.repeats));
  }
  if (!begun_) {
    lines_.append({{"fingerprint", to_json(fingerprint_)}});
    begun_ = true;
  }
  lines_.append(line_of(*space_, sample));
  samples_.push_back(sample);
}

}  // namespace lathe::latency
