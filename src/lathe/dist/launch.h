// Which of a job's processes this one is, as its launcher says in environment variables.
#pragma once

#include <map>
#include <span>
#include <string>

namespace lathe::dist {

/// One process of a job; a job of one where no launcher is.
struct Launch {
  std::string launcher;  ///< "torchrun", "mpirun" or "srun"; empty: none
  int rank = 0;          ///< among all processes, in [0, world_size)
  int local_rank = 0;    ///< among those of this machine: which of its devices to use
  int world_size = 1;
  std::string master_addr = "127.0.0.1";  ///< where the processes meet: the machine of rank 0
  int master_port = 29500;
  /// torchrun may listen on the master's port itself; then rank 0 must not, and what the ranks say
  /// to each other there begins with `store_prefix`, as a restarted job meets at the same place.
  bool launcher_listens = false;
  std::string store_prefix;
  std::string interface;  ///< network interface of this machine to use (eth0); empty: any that fits
};

/// The names of all variables that launch_from() looks at.
std::span<const char* const> launch_variables();

/// Reads what a launcher has set. The innermost one counts where several have: torchrun (RANK,
/// LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, all but the local rank needed, so that
/// processes can be started by hand as well), then Open MPI's mpirun (OMPI_COMM_WORLD_RANK, _SIZE,
/// _LOCAL_RANK), then Slurm's srun (SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID). The latter two
/// don't say where to meet. MASTER_ADDR and MASTER_PORT do; without the address it is 127.0.0.1
/// where all processes are on one machine, otherwise Slurm's first node, or the machine that srun
/// was called on if there is no list of nodes. Without the port it is one in 29500 to 30499 that
/// the job's number decides, so that two jobs on a machine rarely meet.
/// `variables` are those of launch_variables() that are set, in the process's environment.
/// @throws Error naming the variable that is missing, malformed or contradicts another, with the
/// next step.
Launch launch_from(const std::map<std::string, std::string>& variables);

}  // namespace lathe::dist
