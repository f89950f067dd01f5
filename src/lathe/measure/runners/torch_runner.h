// Nets timed in this process, through torch's own operators.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lathe/measure/runners/runner.h"

namespace lathe::measure {

struct TorchRunnerOptions {
  std::string device = "cpu";  ///< or "cuda", "cuda:0", ...
  int threads = 1;
  int batch = 1;
  std::optional<bool> channels_last;  ///< unset: whichever is faster for the probe
  std::uint64_t seed = 1;             ///< of the inputs
};

/// In inference mode, with batch norm folded. On a GPU inputs and weights lie there already, and a
/// run ends when the device has finished: what a caller waits for, launches included; TF32 is off.
/// `probe` is a typical net of those to be timed; it decides the memory layout for all of them, so
/// that blocks and nets agree. The number of threads is torch's global one; time() sets it and puts
/// it back.
/// @throws std::invalid_argument if threads or batch is not positive; Error if there is no such
/// device.
std::unique_ptr<Runner> make_torch_runner(const graph::Net& probe,
                                          const TorchRunnerOptions& options);

/// Whether `runtime`, as a runner names it, is of the channels-last layout.
bool is_channels_last(const std::string& runtime);

}  // namespace lathe::measure
