// How well latency models do on published measurements, as Markdown tables.
#pragma once

#include <filesystem>

namespace lathe::bench {

/// Once-for-all nets on four GPU settings: error against training size, over `splits` splits.
void print_gpu_errors(const std::filesystem::path& data, int splits);
/// The same nets: one setting's model made another's with 20 samples.
void print_few_shot(const std::filesystem::path& data, int splits);
/// NAS-Bench-201 cells on four devices: error against training size.
void print_cell_errors(const std::filesystem::path& data, int splits);

}  // namespace lathe::bench
