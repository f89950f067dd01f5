// A space with the models that a search of it needs, from their files.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/space/space_file.h"

namespace lathe::search {

/// Moves as a whole: the models refer to the space.
struct Models {
  std::unique_ptr<const space::Space> space;
  std::unique_ptr<const latency::LatencyModel> latency;         ///< null without a file
  std::unique_ptr<const accuracy::AccuracyPredictor> accuracy;  ///< null without a file
  /// Input sizes of the space that were left out since a model doesn't cover them.
  std::vector<int> left_out;
};

struct ModelFiles {
  /// A latency model of Lathe's, or published tables: a folder, or a .yaml file
  /// (latency::load_ofa_tables).
  std::optional<std::filesystem::path> latency;
  /// accuracy::load_predictor().
  std::optional<std::filesystem::path> accuracy;
};

/// The space, restricted to the resolutions that every model covers, and the models for it.
/// @throws Error as space::open_space() and the loaders, or if no resolution is covered by both.
Models load_models(const std::string& space_name, const space::TaskOverrides& overrides,
                   const ModelFiles& files);

/// Whether `path` is read as published tables.
bool are_ofa_tables(const std::filesystem::path& path);

}  // namespace lathe::search
