// Gloo, c10d's engine between CPUs. Compiled where LibTorch has it and its headers are found.
#include <gloo/context.h>
#include <gloo/transport/device.h>

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "lathe/core/error.h"
#include "lathe/dist/c10d_engine.h"
#include "lathe/dist/rendezvous.h"

namespace lathe::dist {
namespace {

/// Whose time limit can be changed once all are connected: a rank that dies while they connect
/// closes no connection that the others would notice.
class Group final : public c10d::ProcessGroupGloo {
 public:
  using ProcessGroupGloo::ProcessGroupGloo;

  void set_timeout(std::chrono::milliseconds timeout) {
    for (const std::shared_ptr<::gloo::Context>& context : contexts_) {
      context->setTimeout(timeout);
    }
  }
};

std::shared_ptr<::gloo::transport::Device> device_for(const Launch& launch) {
  if (!launch.interface.empty()) {
    return c10d::ProcessGroupGloo::createDeviceForInterface(launch.interface);
  }
  // A machine's own name may lead to an address that its processes can't reach: none is needed.
  return is_loopback(launch.master_addr)
             ? c10d::ProcessGroupGloo::createDeviceForHostname(launch.master_addr)
             : c10d::ProcessGroupGloo::createDefaultDevice();
}

}  // namespace

bool has_gloo() { return true; }

std::unique_ptr<Engine> make_gloo_engine(const Launch& launch, const EngineOptions& options) {
  auto store = meet(launch, options);
  auto group_options =
      c10d::ProcessGroupGloo::Options::create(milliseconds(options.connect_timeout_s));
  try {
    group_options->threads = 1;  // ours waits for each collective before it calls the next
    group_options->devices.push_back(device_for(launch));
    auto group = c10::make_intrusive<Group>(store, launch.rank, launch.world_size, group_options);
    group->set_timeout(milliseconds(options.timeout_s));
    return std::make_unique<C10dEngine<Group, c10d::Store>>(store, group);
  } catch (const std::exception& error) {
    throw Error("rank " + std::to_string(launch.rank) + " can't connect to the others (" +
                first_line(error) +
                "); see that all still run, and set GLOO_SOCKET_IFNAME to the network interface "
                "that leads to them");
  }
}

}  // namespace lathe::dist
