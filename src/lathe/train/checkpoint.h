// What a training run needs to go on as if it had not stopped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "lathe/nn/supernet.h"
#include "lathe/train/sgd.h"

namespace lathe::train {

/// One safetensors file: the supernet's tensors, the optimizer's momentum, and as metadata the
/// space, the steps done and `settings` (whatever a resumed run must agree on). Written by atomic
/// replace.
void save_checkpoint(const std::filesystem::path& path, const nn::Supernet& supernet,
                     const Sgd& optimizer, std::int64_t steps_done, const nlohmann::json& settings);

/// Loads a checkpoint; gives the steps done. Nothing is changed unless the whole file fits.
/// @throws Error naming the file if it is damaged, of another space, or of other settings (the
/// first that differs is named with both values).
std::int64_t load_checkpoint(const std::filesystem::path& path, nn::Supernet& supernet,
                             Sgd& optimizer, const nlohmann::json& settings);

/// Only the supernet of a checkpoint, for evaluation and search.
void load_supernet(const std::filesystem::path& path, nn::Supernet& supernet);

}  // namespace lathe::train
