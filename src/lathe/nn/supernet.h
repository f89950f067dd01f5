// The weights of every net of a space.
#pragma once

#include <memory>

#include "lathe/nn/shared_weights.h"
#include "lathe/space/space.h"

namespace lathe::nn {

/// The shared weights of a space's largest net, together with the space.
class Supernet : public SharedWeights {
 public:
  /// @throws std::invalid_argument unless space->weights_nest().
  explicit Supernet(std::shared_ptr<const space::Space> space, const WeightOptions& options = {});

  const space::Space& space() const { return *space_; }
  std::shared_ptr<const space::Space> shared_space() const { return space_; }

 private:
  std::shared_ptr<const space::Space> space_;
};

}  // namespace lathe::nn
