// A latency model that lives in a file, whatever its kind.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "lathe/latency/fit/calibrate.h"
#include "lathe/latency/fit/validation.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/latency/samples/fingerprint.h"
#include "lathe/space/space.h"

namespace lathe::latency {

/// Of latencies in files.
inline constexpr const char* kLatencyUnit = "ms";

/// How sure a model is of one net.
struct Certainty {
  double deviation_ms;  ///< standard deviation of the estimate, the noise of a run not included
  /// Whether the samples determine the net's sum; otherwise a prior has decided a part of it.
  bool identifiable;
};

class StoredLatencyModel : public LatencyModel {
 public:
  /// What its samples were measured under.
  virtual const Fingerprint& fingerprint() const = 0;
  /// Its error on measurements that took no part in the fit, if that is known.
  virtual const std::optional<ModelError>& validation() const = 0;
  virtual void set_validation(std::optional<ModelError> error) = 0;

  virtual void set_fingerprint(Fingerprint fingerprint) = 0;

  /// How sure it is of each; empty if it doesn't know. @throws as predict_ms().
  virtual std::vector<Certainty> certainty(std::span<const space::Arch> archs) const;

  /// The same model with correction.apply() of every prediction, not validated.
  virtual std::unique_ptr<StoredLatencyModel> with_correction(
      const Correction& correction) const = 0;

  /// Writes atomically; load_latency_model() reads it. @throws Error as write_file_atomic().
  virtual void save(const std::filesystem::path& path) const = 0;
};

/// A model of any kind that this library writes, told apart by the file's content. `space` must
/// outlive it.
/// @throws Error naming the file: unreadable, no latency model, of another version, unit, space,
/// task or encoding, or damaged.
std::unique_ptr<StoredLatencyModel> load_latency_model(const space::Space& space,
                                                       const std::filesystem::path& path);

/// What the model in `path` was measured under, to find its space by. @throws Error as above.
Fingerprint fingerprint_of_model(const std::filesystem::path& path);

}  // namespace lathe::latency
