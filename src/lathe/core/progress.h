// How a long call tells where it is. The library never prints: the caller decides what to show.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace lathe {

/// A step of a bar, or with `total` 0 a line worth keeping: the outcome of a stage.
struct Progress {
  std::string stage;      ///< what is being done: "latency", "train", ...
  std::int64_t done = 0;  ///< units finished, out of `total`
  std::int64_t total = 0;
  std::string message;  ///< the figures of the moment, for a person; may be empty
};

using ProgressFn = std::function<void(const Progress&)>;

}  // namespace lathe
