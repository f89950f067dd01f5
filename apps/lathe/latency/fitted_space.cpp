#include "latency/fitted_space.h"

#include <fmt/format.h>

#include <limits>
#include <span>

#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/space/same_net.h"
#include "lathe/space/space_file.h"
#include "options/range.h"

namespace lathe::app {

std::unique_ptr<space::Space> space_of(const std::string& name, const space::Task& task,
                                       const std::string& space, const std::string& where) {
  const std::string& own = space.empty() ? name : space;
  space::TaskOverrides overrides{.in_channels = task.in_channels, .num_classes = task.num_classes};
  try {
    if (space::open_space(own)->task().input_size != task.input_size) {
      overrides.input_size = task.input_size;
    }
    return space::open_space(own, overrides);
  } catch (const Error& error) {
    throw Error(where + ": " + error.what());
  }
}

std::unique_ptr<space::Space> space_of(const latency::Fingerprint& fingerprint,
                                       const std::string& space, const std::string& where) {
  return space_of(fingerprint.space,
                  {.in_channels = fingerprint.in_channels,
                   .num_classes = fingerprint.num_classes,
                   .input_size = fingerprint.input_size},
                  space, where);
}

void add_own_space_option(CLI::App& command, std::string& space) {
  command.add_option("--space", space,
                     "the file of a space of your own; built-in spaces are known by their name");
}

void add_train_options(CLI::App& command, TrainOptions& options) {
  command
      .add_option("--train-count", options.train_count,
                  "how many of the samples a model is fitted to, drawn with --seed; all without")
      ->check(between(1, std::numeric_limits<int>::max()));
  command.add_option("--seed", options.seed, "of every random choice")->capture_default_str();
}

SampleSplit split(const space::Space& space, std::vector<latency::LatencySample> samples,
                  const TrainOptions& options, const std::string& where) {
  const auto count = static_cast<std::size_t>(options.train_count);
  if (count > samples.size()) {
    throw Error(where + ": --train-count " + std::to_string(count) + " of only " +
                std::to_string(samples.size()) + " samples");
  }
  if (count == 0) {
    return {.train = std::move(samples), .rest = {}};
  }
  Rng rng(options.seed);
  shuffle(std::span(samples), rng);
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(count);
  SampleSplit result{.train = {samples.begin(), middle}, .rest = {}};
  result.rest = space::without_nets_of(result.train, space,
                                       std::vector<latency::LatencySample>(middle, samples.end()));
  return result;
}

void warn_unfinished(const std::filesystem::path& path) {
  fmt::print(stderr, "{}: the last line is unfinished and was left out\n", path.string());
}

latency::LatencySamples read_whole_samples(const std::filesystem::path& path,
                                           const space::Space& space) {
  latency::LatencySamples samples = latency::read_samples(path, space);
  if (samples.unfinished) {
    warn_unfinished(path);
  }
  return samples;
}

}  // namespace lathe::app
