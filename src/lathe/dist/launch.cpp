#include "lathe/dist/launch.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "lathe/core/error.h"
#include "lathe/core/hash.h"

namespace lathe::dist {
namespace {

constexpr std::array kVariables{"RANK",
                                "LOCAL_RANK",
                                "WORLD_SIZE",
                                "MASTER_ADDR",
                                "MASTER_PORT",
                                "TORCHELASTIC_USE_AGENT_STORE",
                                "TORCHELASTIC_RESTART_COUNT",
                                "OMPI_COMM_WORLD_RANK",
                                "OMPI_COMM_WORLD_LOCAL_RANK",
                                "OMPI_COMM_WORLD_SIZE",
                                "OMPI_COMM_WORLD_LOCAL_SIZE",
                                "PMIX_NAMESPACE",
                                "SLURM_PROCID",
                                "SLURM_LOCALID",
                                "SLURM_NTASKS",
                                "SLURM_STEP_NUM_NODES",
                                "SLURM_STEP_NODELIST",
                                "SLURM_JOB_NODELIST",
                                "SLURM_LAUNCH_NODE_IPADDR",
                                "SLURM_JOB_ID",
                                "SLURM_STEP_ID",
                                "GLOO_SOCKET_IFNAME"};
constexpr int kFirstPort = 29500;
constexpr int kPorts = 1000;

class Variables {
 public:
  Variables(const std::map<std::string, std::string>& values, std::string launcher)
      : values_(values), launcher_(std::move(launcher)) {}

  bool has(const std::string& name) const { return values_.contains(name); }

  /// Empty if it is not set.
  std::string text(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? "" : found->second;
  }

  std::string needed(const std::string& name, const std::string& next_step) const {
    if (text(name).empty()) {
      throw Error(name + " is not set, though " + because() + "; " + next_step);
    }
    return text(name);
  }

  int number(const std::string& name, int least, int most) const {
    const std::string value = needed(
        name, "start all processes by " + launcher_ + ", or unset its variables to run in one");
    int parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc() || end != value.data() + value.size() || parsed < least ||
        parsed > most) {
      throw Error(name + " must be a whole number from " + std::to_string(least) + " to " +
                  std::to_string(most) + ", got \"" + value + "\"; it is set by " + launcher_);
    }
    return parsed;
  }

 private:
  /// Why a launcher is believed to be there.
  std::string because() const {
    for (const auto& [name, value] : values_) {
      const bool tells = launcher_ == "torchrun" ? name == "RANK" || name == "WORLD_SIZE"
                         : launcher_ == "mpirun" ? name.starts_with("OMPI_COMM_WORLD_")
                                                 : name.starts_with("SLURM_");
      if (tells) return name + " is \"" + value + "\"";
    }
    return launcher_ + " started this process";
  }

  const std::map<std::string, std::string>& values_;
  std::string launcher_;
};

/// The first host of Slurm's short form of a list: "a1,b2", "node[03-07,9]-x".
std::string first_host(const std::string& list) {
  const std::size_t open = list.find('[');
  if (list.find(',') < open || open == std::string::npos) {
    return list.substr(0, list.find(','));
  }
  const std::size_t first_end = list.find_first_of(",-]", open);
  const std::size_t close = list.find(']', open);
  if (close == std::string::npos || first_end == open + 1) {
    throw Error("the list of nodes \"" + list +
                "\" can't be read; set MASTER_ADDR to the address of rank 0's machine");
  }
  const std::size_t rest_end = list.find_first_of(",[", close + 1);
  return list.substr(0, open) + list.substr(open + 1, first_end - open - 1) +
         list.substr(close + 1, rest_end == std::string::npos ? rest_end : rest_end - close - 1);
}

void read_ranks(const Variables& variables, const std::string& rank, const std::string& local_rank,
                const std::string& world_size, Launch& launch) {
  constexpr int kMost = std::numeric_limits<std::int16_t>::max();
  launch.world_size = variables.number(world_size, 1, kMost);
  launch.rank = variables.number(rank, 0, kMost);
  if (launch.rank >= launch.world_size) {
    throw Error(rank + " is " + std::to_string(launch.rank) + " but " + world_size + " is " +
                std::to_string(launch.world_size) +
                ": ranks count from 0; start all processes by " + launch.launcher + " anew");
  }
  launch.local_rank = variables.number(local_rank, 0, kMost);
  if (launch.local_rank > launch.rank) {
    throw Error(local_rank + " is " + std::to_string(launch.local_rank) + " but " + rank + " is " +
                std::to_string(launch.rank) + ": a machine has no more ranks than all together; " +
                "start all processes by " + launch.launcher + " anew");
  }
}

/// The address for launchers that don't say where the processes meet.
std::string meeting_place(const Variables& variables, bool one_machine, const std::string& nodes) {
  if (!variables.text("MASTER_ADDR").empty()) return variables.text("MASTER_ADDR");
  if (one_machine) return "127.0.0.1";
  if (!nodes.empty()) return first_host(nodes);
  return variables.needed("MASTER_ADDR",
                          "set it to the address of rank 0's machine, for all processes");
}

/// @param job anything that two jobs of a machine differ in.
int meeting_port(const Variables& variables, const std::string& job) {
  if (variables.has("MASTER_PORT")) return variables.number("MASTER_PORT", 1, 65535);
  return job.empty() ? kFirstPort : kFirstPort + static_cast<int>(fnv1a(job) % kPorts);
}

void read_torchrun(const Variables& variables, Launch& launch) {
  launch.local_rank = launch.rank = 0;
  const std::string local = variables.has("LOCAL_RANK") ? "LOCAL_RANK" : "RANK";
  read_ranks(variables, "RANK", local, "WORLD_SIZE", launch);
  launch.master_addr = variables.needed(
      "MASTER_ADDR", "set it to the address of rank 0's machine, 127.0.0.1 if all run on this one");
  variables.needed("MASTER_PORT", "set it to a free port of rank 0's machine, 29500 say");
  launch.master_port = meeting_port(variables, "");
  launch.launcher_listens = variables.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
  const std::string attempt = variables.text("TORCHELASTIC_RESTART_COUNT");
  launch.store_prefix = "lathe/attempt_" + (attempt.empty() ? "0" : attempt);
}

void read_mpirun(const Variables& variables, Launch& launch) {
  read_ranks(variables, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK",
             "OMPI_COMM_WORLD_SIZE", launch);
  const bool one_machine =
      variables.text("OMPI_COMM_WORLD_LOCAL_SIZE") == variables.text("OMPI_COMM_WORLD_SIZE");
  launch.master_addr = meeting_place(variables, one_machine, "");
  launch.master_port = meeting_port(variables, variables.text("PMIX_NAMESPACE"));
}

void read_srun(const Variables& variables, Launch& launch) {
  read_ranks(variables, "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS", launch);
  const bool one_machine = launch.world_size == 1 || variables.text("SLURM_STEP_NUM_NODES") == "1";
  // The node that srun was called on may be one that has no rank: the list is surer.
  std::string nodes = variables.text("SLURM_STEP_NODELIST");
  if (nodes.empty()) nodes = variables.text("SLURM_JOB_NODELIST");
  if (nodes.empty()) nodes = variables.text("SLURM_LAUNCH_NODE_IPADDR");
  launch.master_addr = meeting_place(variables, one_machine, nodes);
  const std::string job = variables.text("SLURM_JOB_ID");
  launch.master_port =
      meeting_port(variables, job.empty() ? "" : job + "." + variables.text("SLURM_STEP_ID"));
}

}  // namespace

std::span<const char* const> launch_variables() { return kVariables; }

Launch launch_from(const std::map<std::string, std::string>& values) {
  const auto any = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) {
      if (values.contains(name)) return true;
    }
    return false;
  };
  Launch launch;
  if (any({"RANK", "WORLD_SIZE"})) {
    launch.launcher = "torchrun";
    read_torchrun(Variables(values, launch.launcher), launch);
  } else if (any({"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"})) {
    launch.launcher = "mpirun";
    read_mpirun(Variables(values, launch.launcher), launch);
  } else if (any({"SLURM_PROCID"})) {
    launch.launcher = "srun";
    read_srun(Variables(values, launch.launcher), launch);
  }
  const auto interface = values.find("GLOO_SOCKET_IFNAME");
  if (interface != values.end()) launch.interface = interface->second;
  return launch;
}

}  // namespace lathe::dist
