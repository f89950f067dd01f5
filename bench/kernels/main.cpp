// The kernels against the library's operations. Every case is named <what>/<whose>/<sizes>.
//   lathe_kernels_bench [threads] [--benchmark_filter=...]
// On a busy machine measure with one thread, and compare the column CPU.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <thread>

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  // Some builds of the library start with one thread.
  const int threads = argc > 1 ? std::atoi(argv[1]) : 0;
  at::set_num_threads(threads > 0 ? threads
                                  : static_cast<int>(std::thread::hardware_concurrency()));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
