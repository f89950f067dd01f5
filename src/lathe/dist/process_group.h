// The processes of a job and what they do together, on torch's c10d: Gloo between CPUs, NCCL
// between GPUs.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceType.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lathe/dist/launch.h"

namespace lathe::dist {

/// Some ranks of a job, this process being one. A world of one needs no engine and no launcher, and
/// is used in the same way.
///
/// Every rank makes the same calls in the same order, all from one thread. Calls are carried out in
/// that order by a thread of the group, which is how sums go on while the caller computes.
///
/// A rank that ends (by kill -9, say) closes its connections, and whatever the others wait for or
/// call next throws an Error; one that hangs, or a machine that is gone, does so after `timeout_s`.
/// From then on every call throws that Error: the job is to be started again.
///
/// What has never run: NCCL. It is compiled only where LibTorch has it.
class ProcessGroup {
  struct Job;
  struct State;

 public:
  struct Options {
    /// kCPU: Gloo, for tensors of the CPU. kCUDA: NCCL, for tensors of the current CUDA device,
    /// which the caller sets to launch.local_rank first.
    c10::DeviceType device = c10::DeviceType::CPU;
    double connect_timeout_s = 120;  ///< until all ranks must have come
    /// Of one collective: longer than what rank 0 may do alone while the others wait.
    double timeout_s = 1800;
    /// Sums are added as sum_by_tree() does, over the ranks in order, so that they are the same to
    /// the bit from call to call, on every rank, and as in one process (see sums_alike()). Takes as
    /// much traffic as the engine's own sum. Otherwise that: Gloo's is a ring, which begins each
    /// part of the array at another rank and adds the ranks one by one from there; NCCL's depends
    /// on the machines. With two ranks all of these agree, as a + b = b + a.
    bool deterministic = true;
  };

  /// A collective that has begun. wait() returns when its result is there.
  class Pending {
   public:
    Pending() = default;  ///< done
    /// @throws Error if a rank was lost, naming the collective.
    void wait();

   private:
    friend class ProcessGroup;
    std::shared_ptr<Job> job_;
  };

  /// A world of one.
  ProcessGroup();
  /// Meets the other processes of `launch`; a world of one if it is one of one.
  /// @throws Error if they don't all come in time (naming those that are missing), if they can't
  /// connect, or if this build or LibTorch is without the engine.
  /// @throws std::invalid_argument if a timeout is not positive.
  ProcessGroup(const Launch& launch, const Options& options);
  ProcessGroup(ProcessGroup&&) noexcept;
  ProcessGroup& operator=(ProcessGroup&&) noexcept;
  /// Waits for the collective that is being carried out, if any; gives up those after it.
  ~ProcessGroup();

  /// Whether this build can connect several processes that compute on such a device.
  static bool available(c10::DeviceType device);

  int rank() const;
  int world_size() const;

  /// Begins to replace `flat`, on every rank, by the sum over all ranks. It must not be touched
  /// until wait(); it is kept alive until then. 2 (world_size - 1) / world_size times its size go
  /// out of each rank, and in.
  /// @throws std::invalid_argument if it is not contiguous or neither float32 nor float64.
  Pending all_reduce_sum(const at::Tensor& flat);

  /// The same where each rank has several terms, all of one size: the first of each rank becomes
  /// the sum of all ranks' terms, its others become zero. A rank's own terms are added by
  /// sum_by_tree() as well, before they go out.
  /// @throws std::invalid_argument as sum_by_tree.
  Pending all_reduce_sum(std::vector<at::Tensor> terms);

  /// Replaces `tensor` by root's, which has the same shape and type.
  /// @throws std::invalid_argument if it is not contiguous, or there is no such root.
  void broadcast(const at::Tensor& tensor, int root = 0);

  /// Every rank's tensor, by rank. @throws Error if shapes or types differ, naming both.
  std::vector<at::Tensor> all_gather(const at::Tensor& tensor);

  /// Every rank's text, by rank. @throws Error on every rank if one is longer than 16 MiB.
  std::vector<std::string> all_gather(const std::string& text);

  /// Returns when every rank has called it.
  void barrier();

  /// What `make` gives on rank 0, which alone calls it, on every rank: a JSON value, of whose
  /// numbers none changes by being sent. @throws Error on every rank if `make` throws one.
  nlohmann::json from_rank_0(const std::function<nlohmann::json()>& make);

  /// Compares a JSON object, member by member, with rank 0's.
  /// @throws Error on every rank if any differs, naming the first such member and both values.
  void require_same(const nlohmann::json& object);

 private:
  Pending start(std::string what, const at::Tensor& tensor, std::function<void()> work);

  std::unique_ptr<State> state_;  // none in a world of one
};

/// What ranks must have in common beside their options: Lathe's version and LibTorch's.
nlohmann::json versions();

}  // namespace lathe::dist
