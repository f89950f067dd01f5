// In place of nccl_engine.cpp where LibTorch is without NCCL, or NCCL's header is not found.
#include "lathe/core/error.h"
#include "lathe/dist/engine.h"

namespace lathe::dist {

bool has_nccl() { return false; }

std::unique_ptr<Engine> make_nccl_engine(const Launch& launch, const EngineOptions& /*options*/) {
  throw Error("this build is without NCCL, which " + std::to_string(launch.world_size) +
              " processes on GPUs need; configure with a LibTorch for CUDA and NCCL's header, use "
              "--train-device cpu, or run one process");
}

}  // namespace lathe::dist
