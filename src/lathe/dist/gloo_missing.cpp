// In place of gloo_engine.cpp where LibTorch is without Gloo, or Gloo's headers are not found.
#include "lathe/core/error.h"
#include "lathe/dist/engine.h"

namespace lathe::dist {

bool has_gloo() { return false; }

std::unique_ptr<Engine> make_gloo_engine(const Launch& launch, const EngineOptions& /*options*/) {
  throw Error("this build is without Gloo, which " + std::to_string(launch.world_size) +
              " processes on the CPU need; install libgloo-dev (Debian's name) and a LibTorch that "
              "has it and configure again, or run one process");
}

}  // namespace lathe::dist
