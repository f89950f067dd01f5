// A net with its weights, from what users name: a run's folder, or a file of weights.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "lathe/data/dataset.h"
#include "lathe/graph/fold.h"
#include "lathe/run/answers/net_input.h"
#include "lathe/space/space.h"

namespace lathe::app {

struct TrainedNetOptions {
  std::filesystem::path run;              ///< folder of lathe train or lathe run
  std::filesystem::path weights;          ///< safetensors of one net
  std::filesystem::path arch;             ///< JSON; empty: the one that the weights are of
  std::string space;                      ///< for weights of a space that lives in a file
  std::string dataset = "fashion-mnist";  ///< for weights; a run knows its own
  data::DatasetOptions data;
  std::string device = "cpu";  ///< that recalibrates batch norm, as nn::open_device()
};

/// --run or --weights, --arch, --space.
void add_trained_net_options(CLI::App& command, TrainedNetOptions& options);

struct TrainedNet {
  std::shared_ptr<const space::Space> space;
  space::Arch arch;
  graph::Net net;
  /// What a run was trained on; unset for a file of weights, unless it is asked for.
  std::optional<data::Dataset> dataset;
  std::optional<run::NetInput> input;  ///< unset: a file of a version that didn't say
};

/// Out of a run: batch norm recalibrated. Of a file: as it is.
/// @throws Error if neither or both are named, an arch is needed, or what is named doesn't fit.
TrainedNet open_trained_net(const TrainedNetOptions& options, bool with_dataset);

}  // namespace lathe::app
