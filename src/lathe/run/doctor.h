// What this machine has of what Lathe works with, and what to do about what it hasn't.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lathe::run {

/// One thing, as it is on this machine.
struct Finding {
  enum class State {
    kGood,
    kNote,     ///< works; may be worth knowing or doing
    kProblem,  ///< something of Lathe's doesn't work, or is many times slower than it need be
  };
  std::string what;  ///< `matrix product`
  State state = State::kGood;
  std::string found;                    ///< for people
  std::string advice = {};              ///< what to do; empty if nothing
  nlohmann::ordered_json figures = {};  ///< the numbers behind `found`, an object; null: none
};

/// `{"what", "state": "good" | "note" | "problem", "found", "advice", "figures"}`, the last two
/// where there are such.
nlohmann::ordered_json to_json(const Finding& finding);

struct DoctorOptions {
  double seconds = 2;                  ///< that a training is tried for; 0: not at all
  int threads = 0;                     ///< of that training; 0: all cores
  std::filesystem::path cache_dir;     ///< as data::DatasetOptions has it
  std::filesystem::path folder = ".";  ///< where runs will be written
};

/// Looks at the processor, the clock's governor, what else runs, memory, the disk, LibTorch, its
/// matrix product (timed), GPUs, connections between processes, runtimes, data sets, and how fast
/// the default space trains. What the system doesn't tell is a note, never an error. Takes
/// `seconds` and about two more.
std::vector<Finding> examine(const DoctorOptions& options);

// What examine() makes of a figure.

/// `gflops`: billions of additions and multiplications a second of one core on a matrix product.
Finding judge_matrix_product(double gflops);
/// Nothing: the system doesn't tell.
Finding judge_governor(const std::optional<std::string>& governor);
/// `load`: processes that want to run, of the last minute.
Finding judge_load(double load, int cores);
Finding judge_memory(double total_gb, double available_gb, int cores);

}  // namespace lathe::run
