// An accuracy predictor in a file, whatever its kind.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/space/space.h"

namespace lathe::accuracy {

/// A perceptron (safetensors) or width scores (JSON). `space` must outlive it.
/// @throws Error as PerceptronPredictor::load() and WidthScores::load().
std::unique_ptr<AccuracyPredictor> load_predictor(const space::Space& space,
                                                  const std::filesystem::path& path);
std::unique_ptr<AccuracyPredictor> load_predictor(space::Space&&,
                                                  const std::filesystem::path&) = delete;

/// What such a file was made for, to find its space by. @throws Error naming the file.
std::string space_of_predictor(const std::filesystem::path& path);

}  // namespace lathe::accuracy
