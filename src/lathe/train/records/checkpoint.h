// What a training run needs to go on as if it had not stopped, in one file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "lathe/core/tensor_map.h"

namespace lathe::train {

struct Checkpoint {
  std::string weights_of;  ///< SharedWeights::name()
  std::int64_t steps_done = 0;
  nlohmann::json settings;  ///< whatever a resumed run must agree on
  nlohmann::json state;     ///< what was accumulated beside tensors
  TensorMap weights;        ///< SharedWeights::state()
  /// Flat buffers of the parameters' layout, and another net's weights, by what they belong to
  /// ("optimizer", "average", "teacher"; of a search of cells "logits" and "logits_optimizer") and
  /// then by name.
  std::map<std::string, TensorMap> parts;
};

/// One safetensors file: the weights by their own names, so that others can read them, the parts as
/// `<part>.<name>`, the rest as metadata. Written by atomic replace.
/// @throws Error as write_file_atomic().
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// @throws Error naming the file if it is damaged, no checkpoint, or of another format or net than
/// `weights_of`.
Checkpoint load_checkpoint(const std::filesystem::path& path, const std::string& weights_of);

/// @throws Error naming `path` and the first member of `expected` that the checkpoint's settings
/// don't agree with, with both values.
void check_settings(const Checkpoint& checkpoint, const nlohmann::json& expected,
                    const std::filesystem::path& path);

}  // namespace lathe::train
