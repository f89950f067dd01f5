#include "fitted_space.h"

#include <fmt/format.h>

#include <limits>
#include <set>
#include <span>

#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/space/space_file.h"

namespace lathe::app {

std::unique_ptr<space::Space> space_of(const latency::Fingerprint& fingerprint,
                                       const std::string& space, const std::string& where) {
  const std::string& name = space.empty() ? fingerprint.space : space;
  space::TaskOverrides overrides{.in_channels = fingerprint.in_channels,
                                 .num_classes = fingerprint.num_classes};
  try {
    if (space::open_space(name)->task().input_size != fingerprint.input_size) {
      overrides.input_size = fingerprint.input_size;
    }
    return space::open_space(name, overrides);
  } catch (const Error& error) {
    throw Error(where + ": " + error.what());
  }
}

void add_own_space_option(CLI::App& command, std::string& space) {
  command.add_option("--space", space,
                     "the file of a space of your own; built-in spaces are known by their name");
}

void add_train_options(CLI::App& command, TrainOptions& options) {
  command
      .add_option("--train-count", options.train_count,
                  "how many of the samples a model is fitted to, drawn with --seed; all without")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()));
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
  std::set<space::Arch> seen;
  SampleSplit result;
  for (latency::LatencySample& sample : samples) {
    const space::Arch representative = space.equivalents(sample.arch).front();
    if (result.train.size() < count) {
      seen.insert(representative);
      result.train.push_back(std::move(sample));
    } else if (!seen.contains(representative)) {
      result.rest.push_back(std::move(sample));
    }
  }
  return result;
}

latency::LatencySamples read_whole_samples(const std::filesystem::path& path,
                                           const space::Space& space) {
  latency::LatencySamples samples = latency::read_samples(path, space);
  if (samples.unfinished) {
    fmt::print(stderr, "{}: the last line is unfinished and was left out\n", path.string());
  }
  return samples;
}

}  // namespace lathe::app
