// Batches made ahead of whoever uses them, by threads of their own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "lathe/data/batches.h"

namespace lathe::data {

/// One batch to be made.
struct BatchRequest {
  std::vector<std::int64_t> indices;  ///< of the set
  std::optional<Augmentation> augmentation;
  int image_size = 0;  ///< 0: the set's
};

/// The request of a number 0, 1, ...; nothing from the first number on that isn't needed. Called by
/// several threads at once, each number once.
using BatchPlan = std::function<std::optional<BatchRequest>(std::int64_t number)>;

struct LoaderOptions {
  int threads = 0;         ///< 0: batches are made by those who take them
  std::int64_t ahead = 4;  ///< batches at most that are being made, or made and not yet taken
  std::int64_t first = 0;  ///< number of the first batch that is taken
};

/// Batches follow from their requests alone, so that they don't depend on the number of threads.
class Loader {
 public:
  /// `set` is kept. @throws std::invalid_argument if threads is < 0 or ahead is not > 0.
  Loader(ImageSet set, Normalization normalization, BatchPlan plan, const LoaderOptions& options);
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  /// Waits for the batches that are being made, and drops what was not taken.
  ~Loader();

  /// The batch of that number, waiting until it is made. Each number is taken once; several threads
  /// may take at once if together they leave none out for long: no batch is begun that is more
  /// than `ahead` after the lowest number that was not taken.
  /// @throws what making the batch threw; std::invalid_argument if the plan has no such number or
  /// it was taken before.
  ImageBatch take(std::int64_t number);

 private:
  struct Made {
    ImageBatch batch;
    std::exception_ptr failure;
    bool planned = true;
  };

  void work();
  Made make(std::int64_t number) const;

  const ImageSet set_;
  const Normalization normalization_;
  const BatchPlan plan_;
  const LoaderOptions options_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t end_ = std::numeric_limits<std::int64_t>::max();  // as far as the plan is known
  std::int64_t next_;                   // the next number that a thread begins
  std::int64_t lowest_;                 // all before were taken
  std::set<std::int64_t> taken_after_;  // numbers after lowest_ that were taken
  std::map<std::int64_t, Made> made_;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace lathe::data
