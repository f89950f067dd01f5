// How many threads torch's operators use, in this process and on a thread of ours.
#pragma once

#include <functional>
#include <memory>

namespace lathe::nn {

/// torch's own threads for operators called from this thread and from threads made later. OpenBLAS
/// keeps one: its workers spin while they wait, and would take the cores from torch's.
void set_num_threads(int threads);

/// set_num_threads() while it lives; torch's own are as before then.
class ThreadsScope {
 public:
  explicit ThreadsScope(int threads);
  ~ThreadsScope();
  ThreadsScope(const ThreadsScope&) = delete;
  ThreadsScope& operator=(const ThreadsScope&) = delete;

 private:
  int before_;
};

/// A fixed set of threads that do the same thing with different indices. Made once: torch, its
/// convolution library and the allocator keep state per thread that is slow to build up.
class Workers {
 public:
  /// `count` threads, whose torch operators use `threads_each` threads.
  /// @throws std::invalid_argument if either is < 1.
  Workers(int count, int threads_each);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int count() const { return count_; }

  /// Calls work(0) ... work(count() - 1), each on its own thread, and waits for all. The first
  /// exception (by index) is thrown here, after all have ended.
  void run(const std::function<void(int)>& work);

 private:
  struct State;
  int count_;
  std::unique_ptr<State> state_;
};

}  // namespace lathe::nn
