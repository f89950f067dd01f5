// How well latency models do on published measurements, and what they need, as Markdown tables.
#pragma once

#include <filesystem>

namespace lathe::bench {

/// Once-for-all nets on four GPU settings: error against training size, over `splits` splits.
void print_gpu_errors(const std::filesystem::path& data, int splits);
/// The same nets: one setting's model made another's with 20 samples.
void print_few_shot(const std::filesystem::path& data, int splits);
/// NAS-Bench-201 cells on four devices: error against training size.
void print_cell_errors(const std::filesystem::path& data, int splits);
/// Cells that `lathe latency generate --space darts --cells 1` measured: error against training
/// size of every kind of model.
void print_measured_cells(const std::filesystem::path& path);
/// How well a model of such cells predicts measured nets of many cells.
void print_cell_proxy(const std::filesystem::path& cells_path,
                      const std::filesystem::path& nets_path);
/// How far latencies of nets with equal MACs lie apart, and all of them as a scatter plot unless
/// `figure` is empty.
void print_macs_spread(const std::filesystem::path& path, const std::filesystem::path& figure);
/// mobilenet_v1_widths: how many sums over blocks biased and uniform nets determine.
void print_ranks();

}  // namespace lathe::bench
