// What carries a process group's collectives. Private to this component.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceType.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "lathe/dist/launch.h"

namespace lathe::dist {

/// Collectives of all ranks, called in the same order on each, by one thread at a time. They return
/// when the result is there (on CUDA: when the current stream waits for it), and throw whatever
/// std::exception the engine has when a rank is lost or the time is up.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual void broadcast(const at::Tensor& tensor, int root) = 0;
  /// Row r of `out` [world_size, ...] becomes rank r's `in` [...].
  virtual void all_gather(const at::Tensor& out, const at::Tensor& in) = 0;
  /// Flat arrays in consecutive parts, one a rank: part r of `in` goes to rank r, part r of `out`
  /// comes from it.
  virtual void all_to_all(const at::Tensor& out, std::vector<std::int64_t> out_sizes,
                          const at::Tensor& in, std::vector<std::int64_t> in_sizes) = 0;
  /// The sum, in the engine's own order.
  virtual void all_reduce(const at::Tensor& tensor) = 0;
};

struct EngineOptions {
  double timeout_s = 0;
  double connect_timeout_s = 0;
};

/// Meets the other ranks. @throws Error if they don't all come in time, or LibTorch is without it.
std::unique_ptr<Engine> make_gloo_engine(const Launch& launch, const EngineOptions& options);
std::unique_ptr<Engine> make_nccl_engine(const Launch& launch, const EngineOptions& options);

/// Whether this build has them.
bool has_gloo();
bool has_nccl();

/// The first line of an engine's error, without LibTorch's trace of calls.
std::string first_line(const std::exception& error);

}  // namespace lathe::dist
