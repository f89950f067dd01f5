// A file of evaluated subnets with the space that it is of.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "latency/fitted_space.h"
#include "lathe/accuracy/sample.h"
#include "lathe/space/space.h"

namespace lathe::app {

struct SpaceAndSamples {
  std::unique_ptr<const space::Space> space;
  std::vector<accuracy::AccuracySample> samples;
  std::size_t num_nets = 0;  ///< different ones
};

/// The samples, with a word on standard error if an unfinished last line was left out. `space`: as
/// space_of() has it. @throws Error naming the file.
SpaceAndSamples read_accuracy_samples(const std::filesystem::path& path, const std::string& space);

}  // namespace lathe::app
