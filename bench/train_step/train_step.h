// The cases of the benchmark.
#pragma once

namespace lathe::bench {

/// Registers every case, for `threads` threads.
void register_train_steps(int threads);

}  // namespace lathe::bench
