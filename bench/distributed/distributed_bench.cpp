// train::Step by one process with two threads, or by the processes of a launcher with one thread
// each, on data that are made up beforehand: lathe_distributed_bench [STEPS [BUCKET_BYTES]], and
// the same after `mpirun -n 2 --bind-to none`. Gradients are added while backward goes on, and
// after it, in turns. Prints a hash of the weights: the same for any number of processes.
#include <array>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/hash.h"
#include "lathe/core/statistics.h"
#include "lathe/dist/process_group.h"
#include "lathe/nn/threads.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/train/step/step_benchmark.h"

namespace lathe::bench {
namespace {

constexpr int kShards = 2;
constexpr std::int64_t kBatch = 64;
constexpr std::int64_t kOnePiece = std::numeric_limits<std::int64_t>::max();

template <typename Call>
double seconds_of(const Call& call) {
  const auto before = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
}

std::uint64_t hash(const nn::SharedWeights& weights) {
  const at::Tensor& values = weights.parameters().values();
  return fnv1a(std::span(static_cast<const std::uint8_t*>(values.data_ptr()), values.nbytes()));
}

struct Result {
  double during_s = 0, after_s = 0;  ///< medians of a step
  double alone_s = 0;                ///< the gradient added while nothing else is done
  std::uint64_t weights = 0;
};

/// Both kinds of steps in turns. Of two that are alike the second to be made may be some percent
/// faster, by where its memory lies: `during_first` says which is made first.
Result measure(dist::ProcessGroup& group, int subnets, std::int64_t bucket_bytes, int steps,
               bool during_first) {
  const std::shared_ptr<const space::Space> space =
      space::make_space("ofa_mbv3_w1.0", {.input_size = 64});
  std::array<std::int64_t, 2> bytes{bucket_bytes, kOnePiece};
  if (!during_first) std::swap(bytes[0], bytes[1]);
  std::array<std::unique_ptr<train::StepBenchmark>, 2> kinds;
  for (std::size_t kind = 0; kind < 2; ++kind) {
    train::StepWork work{.batch_size = kBatch, .subnets = subnets, .shards = kShards};
    work.threads = train::shards_here(&group, kShards);
    work.group = &group;
    work.reducer.bucket_bytes = bytes[kind];
    kinds[kind] = std::make_unique<train::StepBenchmark>(space, work);
  }
  std::array<std::vector<double>, 2> seconds;
  for (int i = -2; i < steps; ++i) {  // the first two of each warm up
    for (int j = 0; j < 2; ++j) {
      const auto kind = static_cast<std::size_t>((i + j) & 1);  // neither always follows the other
      const double s = seconds_of([&] { kinds[kind]->train(); });
      if (i >= 0) seconds[kind].push_back(s);
    }
  }
  Result result{.during_s = median(seconds[during_first ? 0 : 1]),
                .after_s = median(seconds[during_first ? 1 : 0]),
                .weights = hash(kinds[0]->weights())};
  if (hash(kinds[1]->weights()) != result.weights) {
    throw std::runtime_error("the weights depend on when gradients are added");
  }
  group.require_same({{"weights", result.weights}});
  std::vector<double> alone;
  for (int i = 0; i < 9; ++i) {
    group.barrier();
    alone.push_back(
        seconds_of([&] { group.all_reduce_sum(kinds[0]->weights().parameters().grads()).wait(); }));
  }
  result.alone_s = median(alone);
  return result;
}

void run(int steps, std::int64_t bucket_bytes) {
  std::map<std::string, std::string> variables;
  for (const char* name : dist::launch_variables()) {
    if (const char* value = std::getenv(name)) variables[name] = value;
  }
  dist::ProcessGroup group(dist::launch_from(variables), {});
  nn::set_num_threads(1);
  for (const int subnets : {1, 4}) {
    const Result a = measure(group, subnets, bucket_bytes, steps, true);
    const Result b = measure(group, subnets, bucket_bytes, steps, false);
    if (group.rank() == 0) {
      std::cout << group.world_size() << " process(es), " << subnets
                << " net(s) a step: gradients added during backward "
                << 2 * kBatch / (a.during_s + b.during_s) << " images/s, after it "
                << 2 * kBatch / (a.after_s + b.after_s) << ", alone "
                << 1e3 * (a.alone_s + b.alone_s) / 2 << " ms; weights " << std::hex << a.weights
                << std::dec << std::endl;
    }
  }
}

}  // namespace
}  // namespace lathe::bench

int main(int argc, char** argv) {
  try {
    lathe::bench::run(
        argc > 1 ? std::stoi(argv[1]) : 20,
        argc > 2 ? std::stoll(argv[2]) : lathe::train::GradientReducerOptions().bucket_bytes);
  } catch (const std::exception& error) {
    std::cerr << "lathe_distributed_bench: " << error.what() << "\n";
    return 1;
  }
}
