// What one supernet's nets reach: drawn, chosen by validation images, read on test images.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lathe/nn/threads.h"
#include "lathe/space/space.h"

namespace lathe::bench {

/// A net that was judged by test images.
struct JudgedNet {
  space::Arch arch;
  double mmacs = 0;
  double test_top1 = 0;
  double measured_ms = 0;  ///< 0 where nothing is measured
};

/// A supernet whose folder is METHOD-SEED.
struct JudgedRun {
  std::string method;
  std::string name;  ///< of its folder
  std::shared_ptr<const space::Space> space;
  JudgedNet smallest, largest;
  std::vector<JudgedNet> by_macs;     ///< the best of each bucket by validation images
  std::vector<JudgedNet> by_latency;  ///< likewise; empty where there are no models
};

struct JudgeOptions {
  std::size_t per_bucket = 6;
  /// Latency models for the spaces of the runs, fitted to nets measured here by LibTorch.
  std::vector<std::filesystem::path> models;
  std::filesystem::path kept;  ///< JSON lines of runs that were judged before; empty: none
};

/// Draws nets from the folder's space in buckets of MACs, and of latency by the model of that
/// space, and judges the best of each; or takes what `kept` has of a run of that name by the same
/// options.
/// @throws Error if the folder has no finished training, or there are models but none of its space.
JudgedRun judge(const std::filesystem::path& folder, const JudgeOptions& options,
                nn::Workers& workers);

/// Sets measured_ms of the nets by latency, the smallest and the largest: in turns, by LibTorch
/// with one thread, on this machine.
void measure_latency(std::vector<JudgedRun>& runs);

}  // namespace lathe::bench
