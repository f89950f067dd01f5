#include "lathe/latency/samples/block_log.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "lathe/core/statistics.h"
#include "lathe/latency/samples/drift.h"

namespace lathe::latency {
namespace {

bool all_positive(const std::vector<double>& times_ms) {
  return std::all_of(times_ms.begin(), times_ms.end(),
                     [](double t) { return std::isfinite(t) && t > 0; });
}

bool plausible(const BlockMeasurement& m) {
  return !m.turns_ms.empty() && all_positive(m.turns_ms) && all_positive(m.anchor_ms);
}

BlockMeasurement parse(const nlohmann::json& line, const std::set<std::string>& known,
                       const std::string& where) {
  BlockMeasurement m{.key = json_member<std::string>(line, "block", where),
                     .turns_ms = json_member<std::vector<double>>(line, "turns_ms", where),
                     .anchor_ms = json_member<std::vector<double>>(line, "anchor_ms", where)};
  if (!known.contains(m.key)) {
    throw Error(where + ": \"" + m.key.substr(0, 120) + "\" is no block of the space");
  }
  if (!plausible(m)) {
    throw Error(where + ": turns_ms and anchor_ms must be times > 0, and turns_ms have one");
  }
  return m;
}

}  // namespace

BlockLog::BlockLog(const std::filesystem::path& path, const space::Space& space,
                   const Fingerprint& fingerprint)
    : log_(path, space, fingerprint) {
  if (log_.found().empty()) {
    return;
  }
  std::set<std::string> known;
  for (const space::Block& block : space.distinct_blocks()) {
    known.insert(block.key());
  }
  for (std::size_t i = 0; i < log_.found().size(); ++i) {
    measurements_.push_back(parse(log_.found()[i], known, line_name(path, i)));
  }
}

void BlockLog::append(const BlockMeasurement& m) {
  if (!plausible(m)) {
    throw std::invalid_argument("[latency::BlockLog::append] turns_ms and anchor_ms of \"" + m.key +
                                "\" must be > 0, and turns_ms not empty");
  }
  log_.append({{"block", m.key},
               {"turns_ms", rounded_ms(m.turns_ms)},
               {"anchor_ms", rounded_ms(m.anchor_ms)}});
  measurements_.push_back(m);
}

BlockCosts block_costs(const Fingerprint& fingerprint,
                       std::span<const BlockMeasurement> measurements) {
  std::vector<std::vector<double>> anchors_ms;
  for (const BlockMeasurement& m : measurements) {
    anchors_ms.push_back(m.anchor_ms);
  }
  const std::vector<double> factors = drift_factors(anchors_ms);
  std::map<std::string, std::vector<double>> times_ms;
  for (std::size_t i = 0; i < measurements.size(); ++i) {
    times_ms[measurements[i].key].push_back(factors[i] * median(measurements[i].turns_ms));
  }
  BlockCosts costs{.fingerprint = fingerprint};
  for (const auto& [key, of_block_ms] : times_ms) {
    costs.coefficients_ms[key] = median(of_block_ms);
  }
  return costs;
}

}  // namespace lathe::latency
