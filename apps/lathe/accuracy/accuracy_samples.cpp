#include "accuracy/accuracy_samples.h"

#include <fmt/format.h>

#include "lathe/regress/cross_validation.h"
#include "lathe/space/same_net.h"

namespace lathe::app {

SpaceAndSamples read_accuracy_samples(const std::filesystem::path& path, const std::string& space) {
  const accuracy::Conditions conditions = accuracy::conditions_of_samples(path);
  SpaceAndSamples result;
  result.space = space_of(conditions.space, conditions.task, space, path.string());
  accuracy::AccuracySamples read = accuracy::read_samples(path, *result.space);
  if (read.unfinished) {
    warn_unfinished(path);
  }
  result.samples = std::move(read.samples);
  result.num_nets = regress::num_groups(space::number_nets(*result.space, result.samples));
  return result;
}

}  // namespace lathe::app
