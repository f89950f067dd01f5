// Nets timed in this process, through torch's own operators.
#pragma once

#include <memory>
#include <optional>

#include "lathe/measure/runner.h"

namespace lathe::measure {

struct TorchRunnerOptions {
  int threads = 1;
  int batch = 1;
  std::optional<bool> channels_last;  ///< unset: whichever is faster for the probe
  std::uint64_t seed = 1;             ///< of the inputs
};

/// On the CPU, in inference mode, with batch norm folded. `probe` is a typical net of those to be
/// timed; it decides the memory layout for all of them, so that blocks and nets agree.
/// The number of threads is torch's global one; time() sets it and puts it back.
/// @throws std::invalid_argument if threads or batch is not positive.
std::unique_ptr<Runner> make_torch_runner(const graph::Net& probe,
                                          const TorchRunnerOptions& options);

/// Whether `runtime`, as a runner names it, is of the channels-last layout.
bool is_channels_last(const std::string& runtime);

}  // namespace lathe::measure
