#include "lathe/latency/samples/sample.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "lathe/latency/samples/drift.h"

namespace lathe::latency {
namespace {

bool positive(double x) { return std::isfinite(x) && x > 0; }

bool plausible(const LatencySample& s) {
  return positive(s.median_ms) && positive(s.p90_ms) && s.repeats > 0 &&
         std::all_of(s.anchor_ms.begin(), s.anchor_ms.end(), positive) &&
         std::all_of(s.rounds_ms.begin(), s.rounds_ms.end(), [](const auto& round_ms) {
           return std::all_of(round_ms.begin(), round_ms.end(), positive);
         });
}

LatencySample sample_from_json(const nlohmann::json& json, const space::Space& space,
                               const std::string& where) {
  LatencySample sample;
  sample.arch = space.from_json(json_member<nlohmann::json>(json, "arch", where), where);
  sample.median_ms = json_member<double>(json, "median_ms", where);
  sample.p90_ms = json_member<double>(json, "p90_ms", where);
  sample.repeats = json_member<int>(json, "repeats", where);
  if (json.contains("rounds_ms")) {
    sample.rounds_ms = json_member<std::vector<std::vector<double>>>(json, "rounds_ms", where);
  }
  if (json.contains("anchor_ms")) {
    sample.anchor_ms = json_member<std::vector<double>>(json, "anchor_ms", where);
  }
  if (!plausible(sample)) {
    throw Error(where + ": median_ms, p90_ms and repeats must be > 0, got " +
                json.at("median_ms").dump() + ", " + json.at("p90_ms").dump() + " and " +
                json.at("repeats").dump() + "; so must all times in rounds_ms and anchor_ms");
  }
  return sample;
}

nlohmann::ordered_json line_of(const space::Space& space, const LatencySample& sample) {
  nlohmann::ordered_json line{{"arch", space.to_json(sample.arch)},
                              {"median_ms", sample.median_ms},
                              {"p90_ms", sample.p90_ms},
                              {"repeats", sample.repeats}};
  if (!sample.rounds_ms.empty()) {
    line["rounds_ms"] = nlohmann::ordered_json::array();
    for (const std::vector<double>& round_ms : sample.rounds_ms) {
      line["rounds_ms"].push_back(rounded_ms(round_ms));
    }
  }
  if (!sample.anchor_ms.empty()) {
    line["anchor_ms"] = rounded_ms(sample.anchor_ms);
  }
  return line;
}

std::vector<LatencySample> parse(const std::vector<nlohmann::json>& lines,
                                 const space::Space& space, const std::filesystem::path& path) {
  std::vector<LatencySample> samples;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    samples.push_back(sample_from_json(lines[i], space, line_name(path, i)));
  }
  return samples;
}

void correct_drift(std::vector<LatencySample>& samples) {
  std::vector<std::vector<double>> anchors_ms;
  for (const LatencySample& sample : samples) {
    anchors_ms.push_back(sample.anchor_ms);
  }
  const std::vector<double> factors = drift_factors(anchors_ms);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i].median_ms *= factors[i];
    samples[i].p90_ms *= factors[i];
    for (std::vector<double>& round_ms : samples[i].rounds_ms) {
      for (double& time_ms : round_ms) {
        time_ms *= factors[i];
      }
    }
  }
}

}  // namespace

LatencySamples read_samples(const std::filesystem::path& path, const space::Space& space) {
  const MeasurementLines read = read_measurements(path, space);
  LatencySamples result{.fingerprint = read.fingerprint,
                        .samples = parse(read.lines, space, path),
                        .unfinished = !read_file(path).ends_with('\n')};
  correct_drift(result.samples);
  return result;
}

void write_samples(const std::filesystem::path& path, const space::Space& space,
                   const LatencySamples& samples) {
  std::string text = fingerprint_line(samples.fingerprint).dump() + "\n";
  for (LatencySample sample : samples.samples) {
    sample.anchor_ms.clear();  // the figures have been corrected by them
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
  const nlohmann::json first = parse_json(std::string_view(text).substr(0, end), where);
  return fingerprint_from_json(json_member<nlohmann::json>(first, "fingerprint", where), where);
}

SampleLog::SampleLog(const std::filesystem::path& path, const space::Space& space,
                     const Fingerprint& fingerprint)
    : space_(&space), log_(path, space, fingerprint), samples_(parse(log_.found(), space, path)) {}

void SampleLog::append(const LatencySample& sample) {
  if (!plausible(sample)) {
    throw std::invalid_argument(
        "[latency::SampleLog::append] median_ms, p90_ms and repeats must be > 0, got " +
        std::to_string(sample.median_ms) + ", " + std::to_string(sample.p90_ms) + " and " +
        std::to_string(sample.repeats) + "; so must all times in rounds_ms and anchor_ms");
  }
  log_.append(line_of(*space_, sample));
  samples_.push_back(sample);
}

}  // namespace lathe::latency
