// A net as a TorchScript file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "lathe/core/tensor_map.h"
#include "lathe/graph/fold.h"

namespace lathe::deploy {

/// Writes `net` as a TorchScript module in evaluation mode, which `torch.jit.load` reads without
/// Lathe. forward takes [N, C, H, W] float32 for any N and gives [N, classes] for a net that ends
/// in a vector, [N, C, H, W] for one that ends in a map. The keys of its state_dict are the
/// parameters' names; its parameters don't require a gradient. Dropout is left out; batch norm is
/// written as it is, so fold it before (graph::fold_batch_norm) for the fastest module.
/// `extra_files` go into the archive, by name: `torch.jit.load(path, _extra_files={name: ""})`
/// reads them. Written atomically.
/// @throws std::invalid_argument if a parameter is missing or doesn't fit (as
/// graph::check_weights), or if its name is another one's prefix ("a.weight" beside
/// "a.weight.bias"), so that they can't be members of one module.
/// @throws Error naming `path` if the module can't be built or the file can't be written.
void export_torchscript(const graph::Net& net, const std::filesystem::path& path,
                        const Metadata& extra_files = {});

/// The output of the module in the file for one batch. input: [N, C, H, W].
/// @throws std::invalid_argument if the input's shape and values disagree.
/// @throws Error naming `path` if it can't be read, is no TorchScript module, or fails to run.
FloatTensor run_torchscript(const std::filesystem::path& path, const FloatTensor& input);

/// The largest absolute difference divided by the reference's largest absolute value: what "equal
/// to 1e-4" means throughout. 0 if both are all zeros; infinite if the reference alone is; NaN if
/// any value is.
/// @throws std::invalid_argument unless both have the same number of values, at least one.
double max_relative_error(const FloatTensor& output, const FloatTensor& reference);

struct VerifyOptions {
  int batch = 2;
  std::uint64_t seed = 1;   ///< of the input, standard normal
  double tolerance = 1e-4;  ///< largest max_relative_error that passes
};

/// Reads a file of export_torchscript back, runs it on a random input and compares with what
/// `reference` gives for that input [batch, C, H, W]. Returns the max_relative_error.
/// A net can lose more digits than the tolerance allows and still be right, such as one that has
/// hardly been trained and whose batch norm subtracts means far larger than what is left. So an
/// error passes as well that is no more than ten times what single precision costs the module
/// itself: its error against the same computed in double.
/// @throws std::invalid_argument if the batch or the tolerance isn't positive.
/// @throws Error as run_torchscript, and naming `path` and the error found if it is more
/// (or NaN).
double verify_torchscript(const graph::Graph& graph, const std::filesystem::path& path,
                          const std::function<FloatTensor(const FloatTensor& input)>& reference,
                          const VerifyOptions& options = {});

}  // namespace lathe::deploy
