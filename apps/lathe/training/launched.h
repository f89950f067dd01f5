// The processes that a launcher (torchrun, mpirun, srun) has started together with this one.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "lathe/dist/process_group.h"

namespace lathe::app {

/// --connect-timeout and --rank-timeout.
void add_launch_options(CLI::App& command, dist::ProcessGroup::Options& options);

/// Meets them, as the launcher's environment variables say; a world of one without a launcher. Of
/// several that compute on "cuda" each gets a GPU of its machine: `device` then says which.
/// @throws Error as dist::launch_from() and dist::ProcessGroup, and if a rank is of another
/// version; as nn::open_device().
dist::ProcessGroup meet_launched(dist::ProcessGroup::Options options, std::string& device);

/// How many of them are on this machine, this one among them.
int processes_here(dist::ProcessGroup& group);

}  // namespace lathe::app
