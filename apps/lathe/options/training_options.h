// The options of training, for every command that trains.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "lathe/run/stages/train_stage.h"

namespace lathe::app {

/// --method and what shapes it, --epochs, --lr, --optimizer, augmentation, --train-device,
/// --train-precision (add_precision_option()), --train-threads, --seed.
void add_training_options(CLI::App& command, run::TrainJob& job, bool measures = false);

/// All options of `command` with their values, as a file that --config reads back: what was left
/// empty is left out, since an empty list is no value.
std::string resolved_config(const CLI::App& command);

}  // namespace lathe::app
