// Where the processes of a job find each other. Private to this component.
#pragma once

#include <torch/csrc/distributed/c10d/Store.hpp>

#include "lathe/dist/engine.h"

namespace lathe::dist {

/// Connects to the store at the launch's master, which rank 0 opens unless the launcher has, and
/// waits until every rank is there.
/// @throws Error naming the address and the ranks that are missing after connect_timeout_s.
c10::intrusive_ptr<c10d::Store> meet(const Launch& launch, const EngineOptions& options);

/// Whether `host` stands for this machine alone: localhost, 127.0.0.1, ::1.
bool is_loopback(const std::string& host);

inline std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(1e3 * seconds));
}

}  // namespace lathe::dist
