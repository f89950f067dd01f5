#include "lathe/nn/supernet.h"

#include <stdexcept>
#include <utility>

namespace lathe::nn {
namespace {

const space::Space& nesting(const space::Space& space) {
  if (!space.weights_nest()) {
    throw std::invalid_argument("[nn::Supernet] the nets of space " + space.name() +
                                " don't share weights by slicing");
  }
  return space;
}

}  // namespace

Supernet::Supernet(std::shared_ptr<const space::Space> space, const WeightOptions& options)
    : SharedWeights(nesting(*space).name(), space->graph(space->largest()),
                    space->elastic_kernels(), options),
      space_(std::move(space)) {}

}  // namespace lathe::nn
