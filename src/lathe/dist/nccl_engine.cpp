// NCCL, c10d's engine between GPUs. Compiled where LibTorch has it and its header is found.
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "lathe/core/error.h"
#include "lathe/dist/c10d_engine.h"
#include "lathe/dist/rendezvous.h"

namespace lathe::dist {

bool has_nccl() { return true; }

std::unique_ptr<Engine> make_nccl_engine(const Launch& launch, const EngineOptions& options) {
  auto store = meet(launch, options);
  auto group_options = c10d::ProcessGroupNCCL::Options::create();
  group_options->timeout = milliseconds(options.timeout_s);
  try {
    auto group = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, launch.rank, launch.world_size,
                                                             group_options);
    return std::make_unique<C10dEngine<c10d::ProcessGroupNCCL, c10d::Store>>(store, group);
  } catch (const std::exception& error) {
    throw Error("rank " + std::to_string(launch.rank) + " can't set up NCCL (" + first_line(error) +
                "); see that there is a GPU for each rank of a machine");
  }
}

}  // namespace lathe::dist
