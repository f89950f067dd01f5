// Under what conditions a latency was measured: figures with different fingerprints don't mix.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "lathe/space/space.h"

namespace lathe::latency {

struct Fingerprint {
  std::string device;     ///< the processor's model name
  std::string runtime;    ///< name, version and memory format: `torch 1.13.1 channels_last`
  std::string precision;  ///< `float32`
  int batch = 1;
  int threads = 1;
  std::string space;  ///< and its task:
  int in_channels = 3;
  int num_classes = 1000;
  int input_size = 224;  ///< where the arch doesn't decide it
  bool operator==(const Fingerprint&) const = default;
};

nlohmann::ordered_json to_json(const Fingerprint& fingerprint);

/// `where` names the file in errors. @throws Error `<where>: ...` naming the member that is
/// missing, of another type, or not positive.
Fingerprint fingerprint_from_json(const nlohmann::json& json, const std::string& where);

/// The first difference, `threads: 1 against 4`, or nothing if equal.
std::optional<std::string> difference(const Fingerprint& a, const Fingerprint& b);

/// @throws Error `<where>: ...` if `fingerprint` is of another space than `space`, or of the same
/// with another task; both are named.
void require_space(const Fingerprint& fingerprint, const space::Space& space,
                   const std::string& where);

}  // namespace lathe::latency
