// The space that a file of latencies or a latency model is of, and the samples to use of one.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lathe/latency/samples/fingerprint.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/space/space.h"

namespace lathe::app {

/// The space for `task`: `space` (a name or file) if that isn't empty, else the built-in one of
/// that name. @throws Error naming `where` if there is none.
std::unique_ptr<space::Space> space_of(const std::string& name, const space::Task& task,
                                       const std::string& space, const std::string& where);

/// The same of the space and task that `fingerprint` was measured for.
std::unique_ptr<space::Space> space_of(const latency::Fingerprint& fingerprint,
                                       const std::string& space, const std::string& where);

/// --space, for spaces that live in a file; others are known by the fingerprint.
void add_own_space_option(CLI::App& command, std::string& space);

/// Which samples of a file a model is fitted to.
struct TrainOptions {
  int train_count = 0;  ///< 0: all
  std::uint64_t seed = 0;
};

void add_train_options(CLI::App& command, TrainOptions& options);

struct SampleSplit {
  std::vector<latency::LatencySample> train;
  std::vector<latency::LatencySample> rest;
};

/// The first `train_count` in an order that depends on `seed`, and those others that compute what
/// none of the first does (Space::equivalents()): no model is judged by what it has seen.
/// @throws Error naming `where` if there are not so many.
SampleSplit split(const space::Space& space, std::vector<latency::LatencySample> samples,
                  const TrainOptions& options, const std::string& where);

/// The word on standard error when a file's unfinished last line was left out.
void warn_unfinished(const std::filesystem::path& path);

/// read_samples(), and a word on standard error if an unfinished last line was left out.
latency::LatencySamples read_whole_samples(const std::filesystem::path& path,
                                           const space::Space& space);

}  // namespace lathe::app
