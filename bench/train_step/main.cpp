// A training step in Lathe's kernels and memory layout against the library's alone. Every case is
// named <what>/<whose>/<space>/<batch>.
//   lathe_train_step_bench [threads] [--benchmark_filter=...]
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "lathe/nn/threads.h"
#include "train_step.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const int given = argc > 1 ? std::atoi(argv[1]) : 0;
  const int threads =
      given > 0 ? given : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  lathe::nn::set_num_threads(threads);
  lathe::bench::register_train_steps(threads);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
