// Where and in which numbers nets are trained and evaluated. What they are timed on is another
// option, --device of the torch runner.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "lathe/nn/precision.h"

namespace lathe::app {

/// --train-device, as nn::open_device() takes it. It is none of a run's settings: a run may go on
/// on another device.
void add_train_device_option(CLI::App& command, std::string& device);

/// --train-precision; also --precision, unless that is what nets are timed in, of a command that
/// `measures`.
void add_precision_option(CLI::App& command, nn::Precision& precision, bool measures = false);

}  // namespace lathe::app
