#include "lathe/dist/rendezvous.h"

#include <cmath>
#include <exception>
#include <string>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

#include "lathe/core/error.h"

namespace lathe::dist {
namespace {

std::string here_key(int rank) { return "here/" + std::to_string(rank); }

/// The newer server of LibTorch 2 is not in every build of it; the older one is.
template <typename Options>
void use_the_server_that_every_build_has(Options& options) {
  if constexpr (requires { options.useLibUV; }) {
    options.useLibUV = false;
  }
}

c10::intrusive_ptr<c10d::Store> open_store(const Launch& launch, const EngineOptions& options) {
  c10d::TCPStoreOptions store_options;
  store_options.port = static_cast<std::uint16_t>(launch.master_port);
  store_options.isServer = launch.rank == 0 && !launch.launcher_listens;
  store_options.waitWorkers = false;  // meet() does, and says who is missing
  store_options.timeout = milliseconds(options.connect_timeout_s);
  use_the_server_that_every_build_has(store_options);
  const std::string place = launch.master_addr + ":" + std::to_string(launch.master_port);
  try {
    return c10::make_intrusive<c10d::TCPStore>(launch.master_addr, store_options);
  } catch (const std::exception& error) {
    if (store_options.isServer) {
      throw Error("rank 0 can't listen at " + place + " (" + first_line(error) +
                  "); set MASTER_PORT to a free port, for all processes");
    }
    throw Error("rank " + std::to_string(launch.rank) + " can't reach rank 0 at " + place + " (" +
                first_line(error) + "); see that rank 0 runs, and set MASTER_ADDR to its address");
  }
}

}  // namespace

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

c10::intrusive_ptr<c10d::Store> meet(const Launch& launch, const EngineOptions& options) {
  c10::intrusive_ptr<c10d::Store> store = open_store(launch, options);
  store = c10::make_intrusive<c10d::PrefixStore>(
      launch.store_prefix.empty() ? "lathe" : launch.store_prefix, store);
  std::vector<std::string> keys;
  for (int rank = 0; rank < launch.world_size; ++rank) {
    keys.push_back(here_key(rank));
  }
  try {
    store->set(here_key(launch.rank), std::vector<std::uint8_t>{1});
    store->wait(keys, milliseconds(options.connect_timeout_s));
  } catch (const std::exception& error) {
    std::string missing;
    try {
      for (int rank = 0; rank < launch.world_size; ++rank) {
        if (!store->check({here_key(rank)})) {
          missing += (missing.empty() ? "" : ", ") + std::to_string(rank);
        }
      }
    } catch (const std::exception&) {  // the store itself is gone: the first error says so
    }
    if (missing.empty()) {
      throw Error("rank " + std::to_string(launch.rank) + " lost rank 0 while the job started (" +
                  first_line(error) + "); its own message says why");
    }
    throw Error("of " + std::to_string(launch.world_size) + " ranks, after " +
                std::to_string(std::lround(options.connect_timeout_s)) +
                " s these are missing: " + missing + "; see that all processes were started" +
                (launch.launcher == "srun" ? " (by srun, not in the batch script itself)" : ""));
  }
  return store;
}

}  // namespace lathe::dist
