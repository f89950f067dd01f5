// The weights by which a search net mixes its operations: logits that are trained, and what nodes
// read of them.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/nn/binding.h"
#include "lathe/nn/parameters.h"
#include "lathe/search/cells/cell_logits.h"
#include "lathe/space/families/cell_search.h"

namespace lathe::train {

struct CellMixerOptions {
  /// PC-DARTS: edges have weights too, softmaxed over those into a node.
  bool edge_weights = false;
  int replicas = 1;                ///< as nn::Parameters
  std::uint64_t seed = 0;          ///< of the random beginning: 1e-3 times standard normal
  c10::Device device = c10::kCPU;  ///< of the net that is mixed
};

/// An operation is mixed by the softmax over its edge's eight logits, `none` among them, times its
/// edge's weight; what bypasses an edge by that weight alone. The logits are on the CPU, wherever
/// the net is: some hundred numbers that every step reads.
class CellMixer {
 public:
  CellMixer(const space::CellSearchNet& net, const CellMixerOptions& options);

  /// `ops.<kind>` [14, 8] and `edges.<kind>` [14], with weight decay.
  nn::Parameters& parameters() { return parameters_; }
  const nn::Parameters& parameters() const { return parameters_; }
  int kinds() const { return kinds_; }

  search::CellLogits logits() const;
  void set_logits(const search::CellLogits& logits);
  /// Adds `scale` times derivatives by the logits to the gradients of replica 0.
  void add_gradient(const search::CellLogits& by, double scale);

  /// Adds to a binding of the search net what its sums are mixed by, with gradients to the logits
  /// of that replica. Auxiliary skips get the weight `auxiliary`.
  void mix(nn::Binding& binding, int replica, double auxiliary = 0) const;
  /// The same without gradients; `perturbation` is added to the softmaxes (SmoothDARTS).
  void mix_fixed(nn::Binding& binding, double auxiliary = 0,
                 const std::vector<at::Tensor>& perturbation = {}) const;
  /// For each kind a [14, 8] of numbers uniform in [-size, size].
  std::vector<at::Tensor> perturbation(double size, Rng& rng) const;

  /// The mean entropy in nats of the softmaxes over operations, and over edges where those have
  /// weights; with gradients to replica 0's logits.
  at::Tensor entropy() const;

 private:
  /// What several mixtures read alike: places of their terms in a [14 * 8 + 14 + 1] array of
  /// operations' weights, edges' weights and the auxiliary one.
  struct Reader {
    int kind = 0;
    at::Tensor places;
    std::vector<int> nodes;  // of the graph
  };
  at::Tensor weights(int kind, int replica, double auxiliary, const at::Tensor& perturbation) const;
  void bind(nn::Binding& binding, const std::vector<at::Tensor>& of_kinds) const;

  int kinds_;
  bool edge_weights_;
  c10::Device device_;
  std::vector<Reader> readers_;
  nn::Parameters parameters_;
};

}  // namespace lathe::train
