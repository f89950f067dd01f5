#include "lathe/dist/launch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/temporary_folder.h"
#include "dist/ranks.h"
#include "lathe/core/error.h"

namespace lathe::dist {
namespace {

using lathe::testing::rank_variables;
using lathe::testing::text_thrown;
using lathe::testing::Variables;

std::string refused(const Variables& variables) {
  return text_thrown<Error>([&] { launch_from(variables); });
}

Variables with(Variables variables, const std::string& name, const std::string& value) {
  variables[name] = value;
  return variables;
}

Variables without(Variables variables, const std::string& name) {
  EXPECT_EQ(variables.erase(name), 1U);
  return variables;
}

const Variables kMpirun{{"OMPI_COMM_WORLD_RANK", "3"},
                        {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                        {"OMPI_COMM_WORLD_SIZE", "4"},
                        {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}};
const Variables kSrun{{"SLURM_PROCID", "3"},
                      {"SLURM_LOCALID", "1"},
                      {"SLURM_NTASKS", "4"},
                      {"SLURM_STEP_NUM_NODES", "2"},
                      {"SLURM_STEP_NODELIST", "node[07-08]"},
                      {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.9"},
                      {"SLURM_JOB_ID", "77"},
                      {"SLURM_STEP_ID", "0"}};

TEST(Launch, IsAWorldOfOneWithoutALauncher) {
  for (const Variables& variables :
       {Variables{}, Variables{{"MASTER_ADDR", "far"}, {"SLURM_JOB_ID", "7"}}}) {
    const Launch launch = launch_from(variables);
    EXPECT_EQ(launch.launcher, "");
    EXPECT_EQ(launch.rank, 0);
    EXPECT_EQ(launch.world_size, 1);
  }
}

TEST(Launch, ReadsTorchrun) {
  Variables variables = rank_variables(2, 4, 1234);
  variables["LOCAL_RANK"] = "1";
  const Launch launch = launch_from(variables);
  EXPECT_EQ(launch.launcher, "torchrun");
  EXPECT_EQ(launch.rank, 2);
  EXPECT_EQ(launch.local_rank, 1);
  EXPECT_EQ(launch.world_size, 4);
  EXPECT_EQ(launch.master_addr, "127.0.0.1");
  EXPECT_EQ(launch.master_port, 1234);
  EXPECT_FALSE(launch.launcher_listens);
  EXPECT_EQ(launch_from(without(variables, "LOCAL_RANK")).local_rank, 2);

  variables["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  variables["TORCHELASTIC_RESTART_COUNT"] = "2";
  EXPECT_TRUE(launch_from(variables).launcher_listens);
  EXPECT_EQ(launch_from(variables).store_prefix, "lathe/attempt_2");
  EXPECT_EQ(launch_from(with(variables, "GLOO_SOCKET_IFNAME", "eth0")).interface, "eth0");
}

TEST(Launch, RefusesTorchrunsVariablesThatContradict) {
  const Variables good = rank_variables(2, 4, 1234);
  EXPECT_EQ(refused(without(good, "WORLD_SIZE")),
            "WORLD_SIZE is not set, though RANK is \"2\"; start all processes by torchrun, or "
            "unset its variables to run in one");
  EXPECT_EQ(refused(without(good, "RANK")),
            "RANK is not set, though WORLD_SIZE is \"4\"; start all processes by torchrun, or "
            "unset its variables to run in one");
  EXPECT_EQ(refused(without(good, "MASTER_ADDR")),
            "MASTER_ADDR is not set, though RANK is \"2\"; set it to the address of rank 0's "
            "machine, 127.0.0.1 if all run on this one");
  EXPECT_EQ(refused(without(good, "MASTER_PORT")),
            "MASTER_PORT is not set, though RANK is \"2\"; set it to a free port of rank 0's "
            "machine, 29500 say");
  EXPECT_EQ(refused(with(good, "RANK", "4")),
            "RANK is 4 but WORLD_SIZE is 4: ranks count from 0; start all processes by torchrun "
            "anew");
  EXPECT_EQ(refused(with(good, "LOCAL_RANK", "3")),
            "LOCAL_RANK is 3 but RANK is 2: a machine has no more ranks than all together; start "
            "all processes by torchrun anew");
  for (const std::string bad : {"x", "2x", "-1", "99999999999", " 1"}) {
    EXPECT_EQ(
        refused(with(good, "RANK", bad)),
        "RANK must be a whole number from 0 to 32767, got \"" + bad + "\"; it is set by torchrun");
  }
  EXPECT_EQ(refused(with(good, "MASTER_PORT", "65536")),
            "MASTER_PORT must be a whole number from 1 to 65535, got \"65536\"; it is set by "
            "torchrun");
  EXPECT_EQ(refused(with(good, "WORLD_SIZE", "0")),
            "WORLD_SIZE must be a whole number from 1 to 32767, got \"0\"; it is set by torchrun");
}

TEST(Launch, ReadsOpenMpi) {
  const Launch launch = launch_from(kMpirun);
  EXPECT_EQ(launch.launcher, "mpirun");
  EXPECT_EQ(launch.rank, 3);
  EXPECT_EQ(launch.local_rank, 1);
  EXPECT_EQ(launch.world_size, 4);
  EXPECT_EQ(launch.master_addr, "127.0.0.1");
  EXPECT_EQ(launch.master_port, 29500);
  // Two jobs don't meet at one port, the ranks of one do.
  const int port = launch_from(with(kMpirun, "PMIX_NAMESPACE", "12345")).master_port;
  EXPECT_GE(port, 29500);
  EXPECT_LT(port, 30500);
  EXPECT_NE(port, launch_from(with(kMpirun, "PMIX_NAMESPACE", "12346")).master_port);

  const Variables two_machines = with(kMpirun, "OMPI_COMM_WORLD_LOCAL_SIZE", "2");
  EXPECT_EQ(refused(two_machines),
            "MASTER_ADDR is not set, though OMPI_COMM_WORLD_LOCAL_RANK is \"1\"; set it to the "
            "address of rank 0's machine, for all processes");
  EXPECT_EQ(launch_from(with(two_machines, "MASTER_ADDR", "n1")).master_addr, "n1");
  EXPECT_EQ(refused(without(kMpirun, "OMPI_COMM_WORLD_LOCAL_RANK")),
            "OMPI_COMM_WORLD_LOCAL_RANK is not set, though OMPI_COMM_WORLD_LOCAL_SIZE is \"4\"; "
            "start all processes by mpirun, or unset its variables to run in one");
}

TEST(Launch, ReadsSlurm) {
  const Launch launch = launch_from(kSrun);
  EXPECT_EQ(launch.launcher, "srun");
  EXPECT_EQ(launch.rank, 3);
  EXPECT_EQ(launch.local_rank, 1);
  EXPECT_EQ(launch.world_size, 4);
  EXPECT_EQ(launch.master_addr, "node07");
  EXPECT_GE(launch.master_port, 29500);
  EXPECT_LT(launch.master_port, 30500);
  EXPECT_NE(launch.master_port, launch_from(with(kSrun, "SLURM_STEP_ID", "1")).master_port);
  EXPECT_EQ(launch_from(with(kSrun, "MASTER_PORT", "1")).master_port, 1);
  EXPECT_EQ(launch_from(with(kSrun, "MASTER_ADDR", "n1")).master_addr, "n1");
  EXPECT_EQ(launch_from(with(kSrun, "SLURM_STEP_NUM_NODES", "1")).master_addr, "127.0.0.1");

  Variables listless = without(kSrun, "SLURM_STEP_NODELIST");
  EXPECT_EQ(launch_from(listless).master_addr, "10.0.0.9");
  EXPECT_EQ(launch_from(with(listless, "SLURM_JOB_NODELIST", "a,b")).master_addr, "a");
  listless = without(listless, "SLURM_LAUNCH_NODE_IPADDR");
  EXPECT_EQ(refused(listless),
            "MASTER_ADDR is not set, though SLURM_JOB_ID is \"77\"; set it to the address of rank "
            "0's machine, for all processes");
  EXPECT_EQ(refused(without(kSrun, "SLURM_NTASKS")),
            "SLURM_NTASKS is not set, though SLURM_JOB_ID is \"77\"; start all processes by srun, "
            "or unset its variables to run in one");
}

TEST(Launch, TakesTheFirstNodeOfSlurmsShortLists) {
  const auto first = [](const std::string& list) {
    return launch_from(with(kSrun, "SLURM_STEP_NODELIST", list)).master_addr;
  };
  EXPECT_EQ(first("alone"), "alone");
  EXPECT_EQ(first("a1,b2"), "a1");
  EXPECT_EQ(first("a1,b[2-3]"), "a1");
  EXPECT_EQ(first("node[03-07,9]"), "node03");
  EXPECT_EQ(first("node[9,03-07]-x,other"), "node9-x");
  for (const std::string bad : {"node[", "node[3", "node[]"}) {
    EXPECT_EQ(refused(with(kSrun, "SLURM_STEP_NODELIST", bad)),
              "the list of nodes \"" + bad +
                  "\" can't be read; set MASTER_ADDR to the address of rank 0's machine");
  }
}

TEST(Launch, BelievesTheInnermostLauncher) {
  Variables all = kSrun;
  all.insert(kMpirun.begin(), kMpirun.end());
  EXPECT_EQ(launch_from(all).launcher, "mpirun");
  const Variables torchrun = rank_variables(0, 2, 1);
  all.insert(torchrun.begin(), torchrun.end());
  EXPECT_EQ(launch_from(all).launcher, "torchrun");
  // The program reads no others.
  for (const auto& [name, value] : all) {
    const auto names = launch_variables();
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

}  // namespace
}  // namespace lathe::dist
