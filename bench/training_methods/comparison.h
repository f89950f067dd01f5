// What one supernet's nets reach, and the tables and the picture of many supernets.
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
  std::vector<JudgedNet> buckets;  ///< the best of each by validation images
  JudgedNet smallest, largest;
};

/// Latency models for the spaces of the runs, fitted to nets measured here by LibTorch; without
/// any, buckets are of MACs.
using LatencyModels = std::vector<std::filesystem::path>;

/// Draws nets from the folder's space in buckets of MACs, or of latency by the model of that space,
/// and judges the best of each. @throws Error if the folder has no finished training, or there are
/// models but none of its space.
JudgedRun judge(const std::filesystem::path& folder, std::size_t per_bucket,
                const LatencyModels& models, nn::Workers& workers);

/// Sets measured_ms of all nets: in turns, by LibTorch with one thread, on this machine.
void measure_latency(std::vector<JudgedRun>& runs);

/// A row a run, and a row a method with means and standard deviations over its runs.
void print_table(const std::vector<JudgedRun>& runs);

/// Test top-1 over measured latency, a point for each bucket of a method: the mean over its runs.
std::string figure_svg(const std::vector<JudgedRun>& runs);

}  // namespace lathe::bench
