// What a run has measured of the device: how well its latency model predicts, how steady the
// device was.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "lathe/latency/models/stored_model.h"
#include "lathe/report/run_files.h"
#include "lathe/space/space.h"

namespace lathe::report {

/// The model in latency.json; null, with a note, if there is none that can be read.
std::unique_ptr<latency::StoredLatencyModel> latency_model_of(RunFiles& files,
                                                              const space::Space& space);

/// `{"samples": [{"predicted_ms", "measured_ms", "low_ms", "high_ms"}, ...], "held_out": true,
/// "anchor_ms": [...]}` of latency_samples.jsonl; empty if it can't be read.
///
/// With "held_out", each net is predicted by a model that was fitted to four fifths of the nets
/// without it, in the division by which lathe run tells its model's error; else by the model
/// itself, which has seen them. "low_ms" and "high_ms" are the least and the greatest of the
/// medians of the turns that a net was measured in. "anchor_ms": the anchor net's median in the
/// turns of each sample, in the order of measurement, where it was measured.
nlohmann::ordered_json latency_record(RunFiles& files, const space::Space& space,
                                      const latency::StoredLatencyModel* model, std::uint64_t seed);

}  // namespace lathe::report
