// The gradient of a step: the sum over all shards, those of other processes too.
#pragma once

#include <cstdint>
#include <memory>

#include "lathe/dist/process_group.h"
#include "lathe/nn/parameters.h"
#include "lathe/nn/threads.h"

namespace lathe::train {

struct GradientReducerOptions {
  /// The flat gradient is added in parts of so many bytes, each as soon as it is complete. Small
  /// ones begin early, large ones have less to say each time.
  std::int64_t bucket_bytes = std::int64_t{4} << 20;
};

/// Adds the gradients of all replicas of all ranks. Where there are several ranks, a part of the
/// flat gradient goes on its way while the last pass's backward computes the next: those parts that
/// this backward doesn't reach before it begins, the others from the net's end to its beginning.
/// Every rank's last pass must be of the same net.
class GradientReducer {
 public:
  /// `parameters` and `group` must outlive it.
  /// @throws std::invalid_argument if bucket_bytes is not positive.
  GradientReducer(nn::Parameters& parameters, dist::ProcessGroup& group,
                  const GradientReducerOptions& options = {});
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  /// Before the first pass of a step.
  void begin();
  /// On the thread of each replica, before the backward of `loss`, its last one in this step.
  void begin_last_backward(int replica, const at::Tensor& loss);
  /// After the backward of all replicas: grads(0) becomes the sum, in the order of
  /// dist::sum_by_tree() over all shards, and the other replicas' become zero.
  /// @throws Error if another rank is lost.
  void finish(nn::Workers& workers);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with hooks in autograd's nodes
};

}  // namespace lathe::train
