#include "lathe/nn/threads.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// Present where the system's BLAS is OpenBLAS; null elsewhere.
extern "C" void openblas_set_num_threads(int) __attribute__((weak));

namespace lathe::nn {

void set_num_threads(int threads) {
  at::set_num_threads(threads);
  if (openblas_set_num_threads != nullptr) {
    openblas_set_num_threads(1);
  }
}

ThreadsScope::ThreadsScope(int threads) : before_(at::get_num_threads()) {
  set_num_threads(threads);
}

ThreadsScope::~ThreadsScope() {
  if (at::get_num_threads() != before_) {
    set_num_threads(before_);
  }
}

struct Workers::State {
  std::mutex mutex;
  std::condition_variable start;
  std::condition_variable done;
  const std::function<void(int)>* work = nullptr;
  std::uint64_t round = 0;
  int running = 0;
  bool ending = false;
  std::vector<std::exception_ptr> errors;
  std::vector<std::thread> threads;

  void loop(int index, int threads_each) {
    at::set_num_threads(threads_each);
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex);
    while (true) {
      start.wait(lock, [&] { return ending || round != seen; });
      if (ending) {
        return;
      }
      seen = round;
      const auto& function = *work;
      lock.unlock();
      std::exception_ptr error;
      try {
        function(index);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      errors[static_cast<std::size_t>(index)] = error;
      if (--running == 0) {
        done.notify_one();
      }
    }
  }
};

Workers::Workers(int count, int threads_each) : count_(count), state_(std::make_unique<State>()) {
  if (count < 1 || threads_each < 1) {
    throw std::invalid_argument("[nn::Workers] count and threads_each must be >= 1, got " +
                                std::to_string(count) + " and " + std::to_string(threads_each));
  }
  state_->errors.resize(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    state_->threads.emplace_back([this, i, threads_each] { state_->loop(i, threads_each); });
  }
}

Workers::~Workers() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->start.notify_all();
  for (std::thread& thread : state_->threads) {
    thread.join();
  }
}

void Workers::run(const std::function<void(int)>& work) {
  std::unique_lock lock(state_->mutex);
  state_->work = &work;
  state_->running = count_;
  ++state_->round;
  state_->start.notify_all();
  state_->done.wait(lock, [&] { return state_->running == 0; });
  for (std::exception_ptr& error : state_->errors) {
    if (error) {
      const std::exception_ptr first = error;
      std::fill(state_->errors.begin(), state_->errors.end(), nullptr);
      std::rethrow_exception(first);
    }
  }
}

}  // namespace lathe::nn
