#include "lathe/dist/process_group.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "dist/ranks.h"
#include "dist/worker_inputs.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/dist/shard_tree.h"

namespace lathe::dist {
namespace {

using lathe::testing::bytes_of;
using lathe::testing::free_port;
using lathe::testing::input;
using lathe::testing::kSizes;
using lathe::testing::last_line;
using lathe::testing::Process;
using lathe::testing::rank_variables;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;
using lathe::testing::Variables;

/// The ranks of one job, each running the same scenario.
class Job {
 public:
  explicit Job(int world_size) : world_size_(world_size) {}

  void start(const std::string& scenario, int ranks, const Variables& more = {}) {
    for (int rank = 0; rank < ranks; ++rank) {
      Variables variables = rank_variables(rank, world_size_, port_);
      variables.insert(more.begin(), more.end());
      processes_.push_back(std::make_unique<Process>(
          std::vector<std::string>{LATHE_DIST_WORKER, scenario, folder_.path().string()},
          variables));
    }
  }
  Process& operator[](std::size_t rank) { return *processes_[rank]; }
  int port() const { return port_; }
  std::size_t size() const { return processes_.size(); }

  void wait_for(const std::string& name) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!std::filesystem::exists(folder_ / name) &&
           std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ASSERT_TRUE(std::filesystem::exists(folder_ / name));
  }
  void expect_success() {
    for (const auto& process : processes_) {
      const Process::Result result = process->wait();
      EXPECT_EQ(result.exit_code, 0) << result.err;
    }
  }
  /// What rank `rank` wrote.
  std::string bytes(const std::string& name, int rank) const {
    return read_file(folder_ / (name + "." + std::to_string(rank)));
  }

 private:
  int world_size_;
  int port_ = free_port();
  TemporaryFolder folder_;
  std::vector<std::unique_ptr<Process>> processes_;
};

/// Tests of several processes.
class Ranks : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ProcessGroup::available(c10::DeviceType::CPU)) GTEST_SKIP() << "built without Gloo";
  }
};

class Sums : public Ranks, public ::testing::WithParamInterface<int> {};

TEST_P(Sums, AreThoseOfOneProcessToTheBit) {
  Job job(GetParam());
  job.start("sums", GetParam());
  job.expect_success();
  for (const std::int64_t size : kSizes) {
    for (const auto type : {at::kFloat, at::kDouble}) {
      std::vector<at::Tensor> terms;
      at::Tensor serial = at::zeros({size}, type);
      for (int rank = 0; rank < GetParam(); ++rank) {
        terms.push_back(input(rank, size, type));
        serial += terms.back();
      }
      sum_by_tree(terms);
      const std::string name =
          "sum_" + std::to_string(size) + (type == at::kFloat ? "_float" : "_double");
      for (int rank = 0; rank < GetParam(); ++rank) {
        EXPECT_TRUE(job.bytes(name, rank) == bytes_of(terms[0])) << name << " at " << rank;
      }
      // Up to three ranks the tree is the order of a loop; with four it shows.
      if (size >= 4095) {
        EXPECT_EQ(serial.equal(terms[0]), GetParam() < 4) << size;
      }
      EXPECT_TRUE(serial.allclose(terms[0], 1e-4, 1e-2));
    }
  }
}

TEST_P(Sums, OfTheEngineAreRight) {
  Job job(GetParam());
  job.start("native_sums", GetParam());
  job.expect_success();
  for (const std::int64_t size : kSizes) {
    at::Tensor sum = at::zeros({size}, at::kDouble);
    for (int rank = 0; rank < GetParam(); ++rank) {
      sum += input(rank, size, at::kDouble);
    }
    const std::string name = "sum_" + std::to_string(size) + "_double";
    for (int rank = 0; rank < GetParam(); ++rank) {
      const std::string bytes = job.bytes(name, rank);
      EXPECT_TRUE(bytes == job.bytes(name, 0));
      ASSERT_EQ(bytes.size(), 8U * size);
      const at::Tensor got = at::empty({size}, at::kDouble);
      std::copy(bytes.begin(), bytes.end(), static_cast<char*>(got.data_ptr()));
      EXPECT_TRUE(got.allclose(sum, 1e-12, 1e-9)) << name << " at " << rank;
      EXPECT_TRUE(GetParam() != 2 || got.equal(sum));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Worlds, Sums, ::testing::Values(1, 2, 3, 4));

TEST_P(Sums, OfSeveralTermsAreThoseOfOneProcessToTheBit) {
  constexpr int kEach = 2;
  Job job(GetParam());
  job.start("sums_of_several", GetParam());
  job.expect_success();
  std::vector<at::Tensor> terms;
  for (int i = 0; i < kEach * GetParam(); ++i) {
    terms.push_back(input(i, 100003, at::kFloat));
  }
  sum_by_tree(terms);
  for (int rank = 0; rank < GetParam(); ++rank) {
    EXPECT_TRUE(job.bytes("sum", rank) == bytes_of(terms[0])) << rank;
    EXPECT_TRUE(job.bytes("other", rank) == bytes_of(at::zeros({100003})));
  }
}

TEST_F(Ranks, BroadcastsAndGathers) {
  constexpr int kRanks = 3;
  Job job(kRanks);
  job.start("others", kRanks);
  job.expect_success();
  std::vector<at::Tensor> all;
  for (int rank = 0; rank < kRanks; ++rank) {
    all.push_back(input(rank, 6, at::kFloat).view({2, 3}).t());
  }
  for (int rank = 0; rank < kRanks; ++rank) {
    for (int root = 0; root < kRanks; ++root) {
      EXPECT_TRUE(job.bytes("broadcast_" + std::to_string(root), rank) ==
                  bytes_of(input(root, 50, at::kDouble)));
    }
    EXPECT_TRUE(job.bytes("gathered", rank) == bytes_of(at::stack(all).contiguous()));
    EXPECT_EQ(job.bytes("texts", rank), "|aaa|aaaaaa|");
    EXPECT_EQ(job.bytes("told", rank), "yes");
  }
}

TEST_F(Ranks, WaitsAtABarrier) {
  Job job(3);
  job.start("barrier", 3);
  job.expect_success();
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(job.bytes("after", rank), "yes");
  }
}

TEST_F(Ranks, EndsWhenARankIsKilled) {
  for (int victim = 0; victim < 3; ++victim) {
    SCOPED_TRACE(victim);
    Job job(3);
    job.start("sum_until_it_fails", 3);
    job.wait_for("summing." + std::to_string(victim));
    job[victim].kill(SIGKILL);
    for (int rank = 0; rank < 3; ++rank) {
      const Process::Result result = job[rank].wait(/*limit_s=*/20);  // the timeout is 60 s
      ASSERT_TRUE(result.ended) << "rank " << rank << " hangs";
      if (rank == victim) continue;
      EXPECT_EQ(result.exit_code, 1);
      const std::string line = last_line(result.err);
      EXPECT_TRUE(
          line.starts_with("rank " + std::to_string(rank) + " lost another rank in a sum ("))
          << line;
      EXPECT_TRUE(
          line.ends_with("); see that rank's own message, then start all again with --resume"))
          << line;
    }
  }
}

TEST_F(Ranks, EndsWhenARankStopsEarly) {
  Job job(2);
  job.start("stop_early", 2);
  EXPECT_EQ(job[1].wait().exit_code, 0);
  const Process::Result result = job[0].wait(20);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(last_line(result.err).starts_with("rank 0 lost another rank in a sum"));
}

TEST_F(Ranks, EndsWhenARankHangs) {
  Job job(2);
  job.start("hang", 2, {{"TIMEOUT_S", "2"}});
  const Process::Result result = job[0].wait(30);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(last_line(result.err).starts_with("rank 0 lost another rank in an all-gather ("))
      << result.err;
}

TEST_F(Ranks, EndsAllRanksIfOneHasOtherOptions) {
  Job job(3);
  job.start("other_options", 3);
  Job more(2);
  more.start("more_options", 2);
  Job shapes(2);
  shapes.start("other_shapes", 2);
  const auto expect_all = [](Job& of, const std::string& text) {
    for (std::size_t rank = 0; rank < of.size(); ++rank) {
      const Process::Result result = of[rank].wait();
      EXPECT_EQ(result.exit_code, 1);
      EXPECT_EQ(last_line(result.err), text);
    }
  };
  const std::string next = "; start every rank with the same version and options";
  expect_all(job, "rank 2 has batch_size = 16, rank 0 has 8" + next);
  expect_all(more, "rank 1 has cutout = 4, rank 0 has none" + next);
  expect_all(shapes, "rank 1 has Float[3, 2] to gather, rank 0 Float[3, 1]" + next);
}

TEST_F(Ranks, EndsAllRanksOnAnErrorOfRank0) {
  Job job(2);
  job.start("error_of_rank_0", 2);
  for (std::size_t rank = 0; rank < 2; ++rank) {
    const Process::Result result = job[rank].wait();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(last_line(result.err), "x.json: cannot read");
  }
}

TEST_F(Ranks, SaysWhoIsMissing) {
  Job job(4);
  job.start("barrier", 2, {{"CONNECT_TIMEOUT_S", "2"}});
  for (std::size_t rank = 0; rank < 2; ++rank) {
    const Process::Result result = job[rank].wait();
    EXPECT_EQ(result.exit_code, 1);
    const std::string line = last_line(result.err);
    // A rank that gives up first may take the meeting place with it, and one that comes late on a
    // busy machine be missing too.
    EXPECT_TRUE((line.starts_with("of 4 ranks, after 2 s these are missing: ") &&
                 line.ends_with("2, 3; see that all processes were started")) ||
                line.starts_with("rank 1 "))
        << line;
  }
}

TEST_F(Ranks, SaysThatRank0IsNotThere) {
  const int port = free_port();
  Process process({LATHE_DIST_WORKER, "barrier", "/nowhere"}, [&] {
    Variables variables = rank_variables(1, 2, port);
    variables["CONNECT_TIMEOUT_S"] = "1";
    return variables;
  }());
  const Process::Result result = process.wait();
  EXPECT_EQ(result.exit_code, 1);
  const std::string line = last_line(result.err);
  EXPECT_TRUE(line.starts_with("rank 1 can't reach rank 0 at 127.0.0.1:" + std::to_string(port)))
      << line;
  EXPECT_TRUE(line.ends_with("; see that rank 0 runs, and set MASTER_ADDR to its address")) << line;
}

TEST_F(Ranks, SaysThatThePortIsTaken) {
  Job first(2);
  first.start("sum_until_it_fails", 2);
  first.wait_for("summing.0");
  Process second({LATHE_DIST_WORKER, "barrier", "/nowhere"}, rank_variables(0, 2, first.port()));
  const Process::Result result = second.wait();
  EXPECT_EQ(result.exit_code, 1);
  const std::string line = last_line(result.err);
  EXPECT_TRUE(line.starts_with("rank 0 can't listen at 127.0.0.1:")) << line;
  EXPECT_TRUE(line.ends_with("; set MASTER_PORT to a free port, for all processes")) << line;
}

TEST(ProcessGroup, OfOneIsUsedAlike) {
  std::vector<ProcessGroup> groups(1);
  groups.emplace_back(Launch{}, ProcessGroup::Options{});
  for (ProcessGroup& group : groups) {
    EXPECT_EQ(group.rank(), 0);
    EXPECT_EQ(group.world_size(), 1);
    const at::Tensor array = input(0, 100, at::kFloat);
    group.all_reduce_sum(array).wait();
    const at::Tensor second = input(1, 100, at::kFloat);
    const at::Tensor first = array.clone();
    group.all_reduce_sum({first, second}).wait();
    EXPECT_TRUE(first.equal(array + input(1, 100, at::kFloat)));
    EXPECT_TRUE(second.equal(at::zeros({100})));
    group.broadcast(array);
    group.barrier();
    group.require_same({{"a", 1}});
    EXPECT_EQ(group.from_rank_0([] { return nlohmann::json("x"); }), "x");
    EXPECT_TRUE(array.equal(input(0, 100, at::kFloat)));
    const std::vector<at::Tensor> all = group.all_gather(array);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_TRUE(all[0].equal(array));
    EXPECT_FALSE(all[0].is_alias_of(array));
    EXPECT_EQ(group.all_gather(std::string("x")), std::vector<std::string>{"x"});
  }
}

TEST(ProcessGroup, RefusesWhatItCannotSend) {
  ProcessGroup group;
  const auto refused = [](auto&& call) { return text_thrown<std::invalid_argument>(call); };
  const at::Tensor turned = at::zeros({2, 3}).t();
  EXPECT_EQ(refused([&] { group.all_reduce_sum(turned); }),
            "[dist::sum_by_tree] terms must be contiguous, of one size and all float32 or float64, "
            "got Float of 6 elements, not contiguous");
  EXPECT_EQ(refused([&] { group.broadcast(turned); }),
            "[dist::ProcessGroup::broadcast] the tensor must be contiguous");
  const at::Tensor tensor = at::zeros({2});
  EXPECT_EQ(refused([&] { group.broadcast(tensor, 1); }),
            "[dist::ProcessGroup::broadcast] root must be in [0, 1), got 1");
  const ProcessGroup::Options options{.timeout_s = 0};
  EXPECT_EQ(refused([&] { ProcessGroup(Launch{}, options); }),
            "[dist::ProcessGroup::ProcessGroup] timeout_s and connect_timeout_s must be > 0, got "
            "0.000000 and 120.000000");
}

TEST(ProcessGroup, SaysWhichEngineIsMissing) {
  const Launch launch{.launcher = "torchrun", .rank = 0, .world_size = 2};
  const auto missing = [&](c10::DeviceType device) {
    return text_thrown<Error>([&] { ProcessGroup(launch, {.device = device}); });
  };
  if (!ProcessGroup::available(c10::DeviceType::CPU)) {
    EXPECT_EQ(missing(c10::DeviceType::CPU),
              "this build is without Gloo, which 2 processes on the CPU need; install libgloo-dev "
              "(Debian's name) and a LibTorch that has it and configure again, or run one process");
  }
  if (!ProcessGroup::available(c10::DeviceType::CUDA)) {
    EXPECT_EQ(missing(c10::DeviceType::CUDA),
              "this build is without NCCL, which 2 processes on GPUs need; configure with a "
              "LibTorch for CUDA and NCCL's header, use --train-device cpu, or run one process");
  }
}

TEST(ProcessGroup, KnowsTheVersions) {
  EXPECT_FALSE(versions().at("lathe").get<std::string>().empty());
  EXPECT_FALSE(versions().at("libtorch").get<std::string>().empty());
}

}  // namespace
}  // namespace lathe::dist
