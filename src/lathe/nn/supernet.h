// One set of weights for every net of a space.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lathe/core/tensor_map.h"
#include "lathe/nn/binding.h"
#include "lathe/nn/parameters.h"
#include "lathe/space/space.h"

namespace lathe::nn {

/// The largest net's parameters, shared by slicing: a subnet reads the first channels of each
/// tensor (conv W[:out, :in], depthwise W[:C], linear W[:, :in], batch norm and its statistics
/// [:C]), the first blocks of each stage, and the centre of each depthwise kernel through a learned
/// matrix per layer and step (7 -> 5 by 25x25, 5 -> 3 by 9x9, initially the identity).
/// @see Once-for-All (Cai et al., ICLR 2020), section 3.3.
class Supernet {
 public:
  /// Random weights from `seed`: convolutions normal with variance 2 / fan-out, linear layers
  /// uniform within 1 / sqrt(fan-in), batch norm 1 and 0. `replicas` as in Parameters.
  /// @throws std::invalid_argument unless space->weights_nest().
  Supernet(std::shared_ptr<const space::Space> space, std::uint64_t seed, int replicas = 1);

  const space::Space& space() const { return *space_; }
  std::shared_ptr<const space::Space> shared_space() const { return space_; }
  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }
  /// Running statistics by full name, at the largest size: those of replica 0, the only ones that
  /// are kept, as in data-parallel training.
  const std::map<std::string, at::Tensor>& statistics() const { return statistics_.front(); }

  /// The tensors of `subnet`, a graph of an arch of this space: views of the shared ones wherever
  /// the layout allows, so that gradients and running statistics flow back to the replica.
  Binding bind(const graph::Graph& subnet, int replica = 0) const;

  /// All parameters and statistics by name, copied.
  TensorMap state() const;
  /// @throws Error naming `where` and the first tensor that is missing, unknown or of another
  /// shape; nothing is changed then.
  void load_state(const TensorMap& state, const std::string& where);

 private:
  at::Tensor slice(const graph::ParameterSpec& spec, int replica) const;
  at::Tensor shrink_kernel(const std::string& name, at::Tensor weight, std::int64_t size,
                           int replica) const;

  std::shared_ptr<const space::Space> space_;
  Parameters parameters_;
  std::vector<std::map<std::string, at::Tensor>> statistics_;  // by replica
};

/// The name of the matrix that takes a depthwise weight from kernel `from` to `to`.
std::string kernel_transform_name(const std::string& weight_name, int from, int to);

}  // namespace lathe::nn
