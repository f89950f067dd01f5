#include "lathe/data/loader.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace lathe::data {
namespace {

[[noreturn]] void fail(const std::string& text) {
  throw std::invalid_argument("[data::Loader" + text);
}

}  // namespace

Loader::Loader(ImageSet set, Normalization normalization, BatchPlan plan,
               const LoaderOptions& options)
    : set_(std::move(set)),
      normalization_(std::move(normalization)),
      plan_(std::move(plan)),
      options_(options),
      next_(options.first),
      lowest_(options.first) {
  if (options.threads < 0) fail("] threads must be >= 0, got " + std::to_string(options.threads));
  if (options.ahead < 1) fail("] ahead must be > 0, got " + std::to_string(options.ahead));
  for (int i = 0; i < options.threads; ++i) threads_.emplace_back([this] { work(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  threads_.clear();
}

Loader::Made Loader::make(std::int64_t number) const {
  Made made;
  try {
    const std::optional<BatchRequest> request = plan_(number);
    if (!request) {
      made.planned = false;
    } else if (request->image_size == 0 || request->image_size == set_.image_size()) {
      made.batch = load_batch(set_, request->indices, request->augmentation, normalization_);
    } else {
      made.batch = load_batch(set_.resized(request->image_size), request->indices,
                              request->augmentation, normalization_);
    }
  } catch (...) {
    made.failure = std::current_exception();
  }
  return made;
}

void Loader::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || next_ < lowest_ + options_.ahead; });
    if (stopping_) return;
    const std::int64_t number = next_++;
    lock.unlock();
    Made made = make(number);
    lock.lock();
    if (!made.planned) end_ = std::min(end_, number);
    const bool last = !made.planned;
    made_.emplace(number, std::move(made));
    changed_.notify_all();
    if (last) return;
  }
}

ImageBatch Loader::take(std::int64_t number) {
  Made made;
  {
    std::unique_lock lock(mutex_);
    if (number < lowest_ || taken_after_.contains(number)) {
      fail("::take] batch " + std::to_string(number) + " was taken before");
    }
    if (threads_.empty()) {
      lock.unlock();
      made = make(number);
      lock.lock();
    } else {
      // Beyond the end nothing is made, and with it the threads are gone.
      changed_.wait(lock, [&] { return made_.contains(number) || number >= end_; });
      made.planned = number < end_;
      if (made.planned) {
        made = std::move(made_.at(number));
        made_.erase(number);
      }
    }
    taken_after_.insert(number);
    while (!taken_after_.empty() && *taken_after_.begin() == lowest_) {
      taken_after_.erase(taken_after_.begin());
      ++lowest_;
    }
  }
  changed_.notify_all();
  if (made.failure) std::rethrow_exception(made.failure);
  if (!made.planned) fail("::take] the plan has no batch " + std::to_string(number));
  return std::move(made.batch);
}

}  // namespace lathe::data
