// What `lathe latency predict` and `lathe accuracy predict` share: archs, and how answers look.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lathe/space/space.h"
#include "options/space_options.h"

namespace lathe::app {

struct PredictOptions {
  std::string model;
  SpaceOptions space;  ///< empty name: the model's own
  std::string arch;
  std::string archs;
  bool json = false;
};

/// Adds --model and the options of the space, archs and output.
void add_predict_options(CLI::App& command, PredictOptions& options, const std::string& model);

/// What is said of an arch: members of a line of JSON, the value first.
using Answer = nlohmann::ordered_json;

/// Predicts the archs that the options name with `predict`, and prints: of --arch the value alone,
/// or with --json `{"arch": ..., "<key>": value, ...}`; of --archs such a line for each.
void print_predictions(
    const PredictOptions& options, const space::Space& space,
    const std::function<std::vector<Answer>(const std::vector<space::Arch>&)>& predict);

}  // namespace lathe::app
