// One set of weights for a net and every smaller net that is sliced out of it.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/tensor_map.h"
#include "lathe/nn/binding.h"
#include "lathe/nn/parameters.h"

namespace lathe::nn {

struct WeightOptions {
  std::uint64_t seed = 0;  ///< of the random initial weights
  /// Starts the last batch norm of every residual branch at scale 0, so that the net begins as its
  /// shortcuts (BigNAS, section 3.2). Only where the branch ends in a batch norm.
  bool zero_residual_gamma = false;
  int replicas = 1;  ///< as in Parameters
  c10::Device device = c10::kCPU;
};

/// The largest net's parameters and statistics. A smaller net reads the first channels of each
/// tensor (conv W[:out, :in], depthwise W[:C], linear W[:, :in], batch norm and its statistics
/// [:C]), those layers that it has, and the centre of each depthwise kernel through a learned
/// matrix per layer and step (7 -> 5 by 25x25, 5 -> 3 by 9x9, initially the identity).
/// A net that is trained alone is the same thing with one size.
/// @see Once-for-All (Cai et al., ICLR 2020), section 3.3.
class SharedWeights {
 public:
  /// Random weights: convolutions normal with variance 2 / fan-out, linear layers uniform within
  /// 1 / sqrt(fan-in), batch norm 1 and 0. `name` says in errors whose weights these are;
  /// `elastic_kernels` are the sizes, ascending, through which depthwise kernels shrink; none where
  /// they don't. @throws std::invalid_argument as Parameters.
  SharedWeights(std::string name, const graph::Graph& largest, std::vector<int> elastic_kernels,
                const WeightOptions& options = {});
  virtual ~SharedWeights() = default;
  SharedWeights(SharedWeights&&) = default;
  SharedWeights& operator=(SharedWeights&&) = default;
  SharedWeights(const SharedWeights&) = default;
  SharedWeights& operator=(const SharedWeights&) = default;

  const std::string& name() const { return name_; }
  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }
  c10::Device device() const { return parameters_.values().device(); }
  /// Running statistics by full name, at the largest size: those of replica 0, the only ones that
  /// are kept, as in data-parallel training.
  const std::map<std::string, at::Tensor>& statistics() const { return statistics_.front(); }

  /// The tensors of `net`, the largest or a smaller one: views of the shared ones wherever the
  /// layout allows, so that gradients and running statistics flow back to the replica. What sums
  /// are mixed by is left undefined: the caller's.
  Binding bind(const graph::Graph& net, int replica = 0) const;

  /// The steps (from, to), largest first, by which an elastic kernel of that size shrinks.
  std::vector<std::pair<int, int>> kernel_steps(int kernel) const;

  /// All parameters and statistics by name, copied.
  TensorMap state() const;
  /// @throws Error naming `where` and the first tensor of state() that `state` lacks, has in
  /// another shape, or has beside it.
  void check_state(const TensorMap& state, const std::string& where) const;
  /// @throws Error as check_state(); nothing is changed then.
  void load_state(const TensorMap& state, const std::string& where);

 private:
  at::Tensor slice(const graph::ParameterSpec& spec, int replica) const;
  at::Tensor shrink_kernel(const std::string& name, at::Tensor weight, std::int64_t size,
                           int replica) const;

  std::string name_;
  std::vector<int> elastic_kernels_;
  Parameters parameters_;
  std::vector<std::map<std::string, at::Tensor>> statistics_;  // by replica
};

/// The name of the matrix that takes a depthwise weight from kernel `from` to `to`.
std::string kernel_transform_name(const std::string& weight_name, int from, int to);

}  // namespace lathe::nn
